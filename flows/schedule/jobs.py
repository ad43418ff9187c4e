"""A timetable's jobs on a cluster: their ids."""

from __future__ import annotations


def job_id(name: str, run: str, run_count: int, tried: int) -> str:
    """An id of one attempt alone: a cluster runs none twice, and Prefect makes the ids of many runs in one moment."""
    return f"{name}-{run}-{run_count}-{tried}"
