"""SHA-256 of files and folders, remembered for files that have not changed since."""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path

EVERY = ("*",)


def sha256_of(path: Path, patterns: Sequence[str] = EVERY) -> str:
    """SHA-256 of a file's bytes, or of a folder's sorted (relative path, SHA-256) pairs."""
    if path.is_dir():
        listing = [(p.relative_to(path).as_posix(), sha256_of(p)) for p in files_in(path, patterns)]
        return hashlib.sha256(json.dumps(listing).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_in(folder: Path, patterns: Sequence[str] = EVERY) -> list[Path]:
    """The files under a folder whose relative paths match one of these, sorted; hidden ones (a hub's or a system's
    own bookkeeping) left out."""
    found = {p: p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}
    shown = {p: inside for p, inside in found.items() if not any(part.startswith(".") for part in inside.parts)}
    return sorted(p for p, inside in shown.items() if any(fnmatch.fnmatch(inside.as_posix(), own) for own in patterns))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in files_in(path)) if path.is_dir() else path.stat().st_size


def remembered_sha256(path: Path, memory: Path, patterns: Sequence[str] = EVERY) -> str:
    """`sha256_of(path, patterns)`, taken from the folder `memory` if every file's size and time are as they were.

    Where `memory` cannot be written, it is computed each time.
    """
    note = memory / hashlib.sha256(os.fsencode(path.absolute()) + repr(tuple(patterns)).encode()).hexdigest()
    files = files_in(path, patterns) if path.is_dir() else [path]
    looks = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    stamp = hashlib.sha256(json.dumps(looks).encode()).hexdigest()
    with contextlib.suppress(OSError, ValueError):
        then, digest = note.read_text().split()
        if then == stamp:
            return digest
    digest = sha256_of(path, patterns)
    with contextlib.suppress(OSError):
        memory.mkdir(parents=True, exist_ok=True)
        temporary = note.with_name(f"{note.name}.{uuid.uuid4().hex}")
        temporary.write_text(f"{stamp} {digest}")
        os.replace(temporary, note)
    return digest
