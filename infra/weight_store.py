"""The cache of weights: blobs named by the SHA-256 of what they hold, and names that point to them.

<root>/blobs/<sha256><suffix>   a file, or (without a suffix) a folder
<root>/names/<name>.json        which blob a name means, its size, and where it came from
<root>/partial/<name>/          what is being pulled; kept after a failure, so that the next try goes on
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from sluice.infra.errors import SluiceError


class UnusableCache(SluiceError):
    """The cache cannot be written."""


class DamagedWeights(SluiceError):
    """What the cache holds under a name is not what was put there."""


@dataclass(frozen=True)
class Pointer:
    """What a name means: the published file's digest, the blob's name and size, and where it came from."""

    name: str
    digest: str
    blob: str
    size: int
    origin: str


def cache_folder() -> Path:
    """$SLUICE_MODELS, or ~/.cache/sluice/models."""
    return Path(os.environ.get("SLUICE_MODELS") or "~/.cache/sluice/models").expanduser().absolute()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, or of a folder's sorted (name, digest) pairs."""
    if path.is_dir():
        return _digest_of_listing({str(p.relative_to(path)): sha256_of(p) for p in files_in(path)})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of_listing(digests: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(digests.items())).encode()).hexdigest()


def files_in(folder: Path) -> list[Path]:
    """Every file under a folder, sorted; hidden folders (a hub's own bookkeeping) left out."""
    found = (p for p in folder.rglob("*") if p.is_file())
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(folder).parts))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(p.stat().st_size for p in files_in(path)) if path.is_dir() else path.stat().st_size


class WeightStore:
    """The cache under one root. Reading needs no write access; writing is atomic and one at a time per name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pointer_file(self, name: str) -> Path:
        return self.root / "names" / f"{quote(name, safe='')}.json"

    def path(self, pointer: Pointer) -> Path:
        return self.root / "blobs" / pointer.blob

    def get(self, name: str) -> Pointer | None:
        """What the name means, or None; raises DamagedWeights for a pointer that cannot be read."""
        try:
            return Pointer(**json.loads(self.pointer_file(name).read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise DamagedWeights(f"The file {self.pointer_file(name)} is damaged ({error}).") from error

    def damage(self, pointer: Pointer) -> str | None:
        """What is wrong with the pointer's blob by a cheap look (it is there, it has its size), or None."""
        path = self.path(pointer)
        if not path.exists():
            return f"{path} is gone"
        size = size_of(path)
        return None if size == pointer.size else f"{path} has {size:,} bytes where {pointer.size:,} were put"

    def put(self, name: str, made: Path, digest: str, origin: str) -> Pointer:
        """Take `made` (a file or folder inside `partial`) into the cache under `name`."""
        blob = sha256_of(made) + ("" if made.is_dir() else "".join(made.suffixes[-1:]))
        pointer = Pointer(name, digest, blob, size_of(made), origin)
        if self.damage(pointer):
            self._discard(self.path(pointer))
            self.path(pointer).parent.mkdir(exist_ok=True)
            os.replace(made, self.path(pointer))
        _write_atomically(self.pointer_file(name), json.dumps(asdict(pointer), indent=1))
        return pointer

    def _discard(self, path: Path) -> None:
        # Renamed first: nobody must find half of a folder under its digest.
        if path.exists():
            old = self.root / "partial" / f"discarded-{uuid.uuid4().hex}"
            os.replace(path, old)
            shutil.rmtree(old) if old.is_dir() else old.unlink()

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """A folder to bring `name` together in, on the blobs' disk; emptied when the block ends without an error.

        Another process that pulls the same name waits. Raises UnusableCache where nothing can be written.
        """
        folder = self.root / "partial" / quote(name, safe="")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = folder.with_suffix(folder.suffix + ".lock").open("w")
        except OSError as error:
            raise UnusableCache(
                f"The cache of weights, {self.root}, cannot be written ({error.strerror}), so '{name}' cannot be "
                "pulled into it. Set SLUICE_MODELS to a folder that you may write, or have its owner pull it."
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            folder.mkdir(exist_ok=True)
            yield folder
            shutil.rmtree(folder)


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(text)
    os.replace(temporary, path)
