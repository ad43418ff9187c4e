"""How two versions differ, and why."""
