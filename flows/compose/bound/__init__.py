"""A tree with its networks and conditions: what samples."""
