"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

from sluice.infra.local import LocalStorage


def write_whole(path: Path, content: bytes | memoryview | str) -> None:
    """Write a local file as a storage does, whoever else writes it at that moment. Raises StorageError."""
    LocalStorage(path.parent).write(path.name, content.encode() if isinstance(content, str) else content)
