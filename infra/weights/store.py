"""The cache of weights: blobs named by the SHA-256 of what they hold, and names that point to them.

<root>/blobs/<sha256><suffix>   a file, or (without a suffix) a folder
<root>/names/<name>.json        which blob a name means, its size, and where it came from
<root>/partial/<name>/          what is being pulled; kept where the next try can go on
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from sluice.infra.digests import sha256_of, size_of
from sluice.infra.errors import SluiceError
from sluice.infra.weights.download import Interrupted


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


class WeightStore:
    """The cache under one root. Reading needs no write access; writing is atomic and one at a time per name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def pointer_file(self, name: str) -> Path:
        return self.root / "names" / f"{quote(name, safe='')}.json"

    def path(self, pointer: Pointer) -> Path:
        return self.root / "blobs" / pointer.blob

    def get(self, name: str) -> Pointer | None:
        """What the name means, or None.

        Raises DamagedWeights, after a cheap look (is the blob there, has it its size?), if it is not what was put.
        """
        file = self.pointer_file(name)
        try:
            pointer = Pointer(**json.loads(file.read_text()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError) as error:
            raise _damaged(name, f"{file} is not readable ({error})") from error
        damage = self._damage(pointer)
        if damage:
            raise _damaged(name, damage)
        return pointer

    def holds(self, name: str) -> bool:
        """Whether every byte of what the name means is as it was put; reads them all."""
        try:
            pointer = self.get(name)
        except DamagedWeights:
            return False
        return pointer is not None and self._is_whole(pointer)

    def recorded_digest(self, name: str) -> str | None:
        """The digest under which `name` was pulled, even if its blob is damaged by now."""
        try:
            return str(json.loads(self.pointer_file(name).read_text())["digest"])
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, name: str, made: Path, digest: str, origin: str) -> None:
        """Take `made`, a file or folder of the workplace, into the cache under `name`."""
        blob = sha256_of(made) + ("" if made.is_dir() else made.suffix)
        pointer = Pointer(name, digest, blob, size_of(made), origin)
        if not self._is_whole(pointer):
            self._discard(self.path(pointer))
            self.path(pointer).parent.mkdir(exist_ok=True)
            os.replace(made, self.path(pointer))
        _write_atomically(self.pointer_file(name), json.dumps(asdict(pointer), indent=1))

    def _damage(self, pointer: Pointer) -> str | None:
        path = self.path(pointer)
        if not path.exists():
            return f"{path} is gone"
        size = size_of(path)
        return None if size == pointer.size else f"{path} has {size:,} bytes where {pointer.size:,} were put"

    def _is_whole(self, pointer: Pointer) -> bool:
        path = self.path(pointer)
        return path.exists() and sha256_of(path) == pointer.blob.partition(".")[0]

    def _discard(self, path: Path) -> None:
        # Renamed first: nobody must find half of a folder under its digest.
        if path.exists():
            old = self.root / "partial" / f"discarded-{uuid.uuid4().hex}"
            os.replace(path, old)
            shutil.rmtree(old) if old.is_dir() else old.unlink()

    @contextmanager
    def workplace(self, name: str) -> Iterator[Path]:
        """A folder to bring `name` together in, on the blobs' disk; another process that pulls the name waits.

        What is in it survives an interruption. Raises UnusableCache where the cache cannot be written.
        """
        folder = self.root / "partial" / quote(name, safe="")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with folder.with_name(folder.name + ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder.mkdir(exist_ok=True)
                with _emptied(folder):
                    yield folder
        except OSError as error:
            raise UnusableCache(
                f"The cache of weights, {self.root}, could not take '{name}': {error.strerror or error}. Set "
                "SLUICE_MODELS to a folder that you may write and that has room, or have the cache's owner pull it."
            ) from error


@contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    """Removes the folder at the end, unless what it holds shortens the next try."""
    try:
        yield
    except SluiceError as error:
        if not isinstance(error, Interrupted):
            shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _damaged(name: str, how: str) -> DamagedWeights:
    return DamagedWeights(
        f"The cached weights '{name}' are damaged: {how}. Run `sluice models pull {name}` to fetch them again."
    )


def _write_atomically(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(text)
    os.replace(temporary, path)
