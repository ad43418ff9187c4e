"""Ready configurations, found by name."""

from __future__ import annotations

from pathlib import Path


def find_config(name: Path) -> Path:
    """A configuration file, or one of the ready ones beside this by its name, such as `photos`."""
    ready = Path(__file__).parent / f"{name}.yaml"
    return ready if not name.is_file() and len(name.parts) == 1 and ready.is_file() else name
