"""Data sets: what is left of a build, as Prefect tasks over Ray, and what is seen of what was built."""
