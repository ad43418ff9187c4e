"""A small list of networks on a few scenes."""

from __future__ import annotations

from rich.console import Console

from sluice.flows.evidence.networks import Evidence

QUIET = Console(quiet=True)
SMALL = Evidence.model_validate(
    {
        "data": {
            "few": {"law": "two", "scenes": 24},
            "edges": {"law": "two", "scenes": 24, "stages": ["fg_canny", "bg_canny"]},
        },
        "networks": {
            "canny-1": {"recipe": "micontrolnet-1", "data": ["few"], "set": {"control": "canny"}},
            "canny-2": {
                "recipe": "micontrolnet-2",
                "data": ["few"],
                "begin": ["canny-1"],
                "set": {"control": "canny"},
            },
            "local": {"recipe": "cnc-local", "data": ["few"]},
            "edges": {"recipe": "cnc-local", "data": ["edges"], "set": {"images": "canny"}, "optional": True},
            "global": {"recipe": "cnc-global", "data": ["few"]},
            "both": {"recipe": "cnc-joint", "data": ["few"], "begin": ["local", "global"]},
        },
    }
)
