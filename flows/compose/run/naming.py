"""A picture's name: a digest of what it is made of, wherever that lies and however it is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sluice.flows.compose.tree.nodes import OfRecord

NAMED_BY = ("job", "made_of", "sluice")
"""What of a record gives the picture its name."""


def name_by(record: Mapping[str, Any]) -> str:
    """The job with digests in the place of the weights and images that it names."""
    job, digests = record["job"], record["made_of"]
    told = {
        "job": {
            **job,
            "picture": _by_content(job["picture"], digests),
            "safety": digests.get(job.get("safety"), "none"),
        },
        "made_of": sorted(digests.values()),
        "sluice": record["sluice"],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _by_content(node: Any, digests: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return digests.get(node, node)
    if isinstance(node, list):
        return [_by_content(own, digests) for own in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == OfRecord.model_fields.keys():
        return digests.get(str(OfRecord.model_validate(node)), node)
    return {name: _by_content(own, digests) for name, own in node.items()}
