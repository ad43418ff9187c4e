"""Pictures of jobs as a page is handed them."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from rich.console import Console

from sluice.flows.compose.page.made import Found
from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.tree.job import Job
from sluice.preprocess.record import Array

QUIET = Console(quiet=True)
EVIL = "<script>document.title = 'owned'</script> & a star"


def found(job: dict[str, Any], pixels: Array | None = None, **noted: Any) -> Found:
    """A picture of a job of one prompt and seed."""
    plain = Job.model_validate(job).model_dump(mode="json")
    asked = Asked(
        plain["prompts"][0], plain["seeds"][0], {"job": plain, "folder": "here", "made_of": {}, "sluice": "0"}
    )
    shown = np.zeros((8, 8, 3), np.uint8) if pixels is None else pixels
    return Found(asked, {**asked.record, **noted}, None if "reason" in noted else shown)


def with_strength(job: dict[str, Any], strength: float, **more: Any) -> dict[str, Any]:
    own = json.loads(json.dumps({**job, "prompts": ["a star"], "seeds": [0], **more}))
    own["picture"]["of"]["model"]["controls"][1]["strength"] = strength
    return own  # type: ignore[no-any-return]
