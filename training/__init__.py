"""Records to networks."""
