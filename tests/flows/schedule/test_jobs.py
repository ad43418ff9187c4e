"""Ids of jobs: two runs of a timetable never share one."""

from __future__ import annotations

from sluice.flows.schedule.jobs import ID, job_id

WEEKS = ("01a226e9-6b79-7a5c-89bc-40d3e118a9f5", "01a226e9-6b79-788d-b42e-4371836d6607")
"""Of two runs that Prefect scheduled in one go, a week apart."""


def test_each_attempt_of_each_run_has_an_id_of_its_own_which_tells_its_run() -> None:
    ids = {job_id("photos-weekly", run, count, tried) for run in WEEKS for count in (1, 2) for tried in (1, 2)}
    assert len(ids) == 8
    found = [ID.fullmatch(id) for id in ids]
    assert {each[1] for each in found if each} == set(WEEKS)
    assert ID.fullmatch("dataset-build-20261129-104600-1a2b") is None, "one that somebody submitted by hand"
