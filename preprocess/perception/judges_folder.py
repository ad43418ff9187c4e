"""How a folder of the tabletop family's judges is told from other networks, without loading any."""

from __future__ import annotations

import json
from pathlib import Path


def is_judges(folder: Path) -> bool:
    """Whether a folder holds the family's judges and not another network."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return False
    labels = config.get("id2label") if isinstance(config, dict) else None
    return isinstance(labels, dict) and str(labels.get("0")).startswith("parser/")
