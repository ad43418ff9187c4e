"""Ids of jobs."""

from __future__ import annotations

import pytest

from sluice.flows.submit.ids import checked_id, new_id
from sluice.flows.submit.sight import CannotSubmit


@pytest.mark.parametrize("id", ["", "../x", "a/b", "-x", "two\nlines", "a b", "x" * 151])
def test_an_id_that_cannot_be_asked_for_again_is_refused(id: str) -> None:
    with pytest.raises(CannotSubmit, match=r"--id .* is no id of a job: it begins with a letter"):
        checked_id(id)
    assert checked_id("weekly-48.b_2") == "weekly-48.b_2"
    assert checked_id(new_id("dataset build"))
