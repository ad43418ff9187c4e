"""A local folder as a storage: temporary file, fsync, rename."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sluice.infra.storage import Entry, FileDenied, MissingFile, NoSpace, StorageError, checked

TEMPORARY = ".sluice-writing-"
NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)
Children = list[tuple["os.DirEntry[str]", str]]


@dataclass(frozen=True)
class LocalStorage:
    """Files under `root`, which is made by the first write and empty before."""

    root: Path

    def __post_init__(self) -> None:
        # Workers have other working directories than the driver.
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    @property
    def uri(self) -> str:
        return str(self.root)

    @property
    def retries(self) -> int:
        return 0

    def read(self, path: str) -> bytes:
        with self.open(path) as file, _explained(self._locate(path), "read"):
            return file.read()

    def read_range(self, path: str, start: int, length: int) -> bytes:
        with self.open(path) as file, _explained(self._locate(path), "read"):
            file.seek(start)
            return file.read(length)

    def write(self, path: str, data: bytes) -> None:
        with self._replacing(path, len(data)) as temporary, open(temporary, "xb") as file:
            file.write(data)

    def upload(self, path: str, local: Path) -> None:
        with _explained(local, "read"):
            size = local.stat().st_size
        with self._replacing(path, size) as temporary:
            try:
                os.link(local, temporary)
            except OSError:  # another disk, or a file system without links
                with _opened(local) as source, open(temporary, "xb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)

    def fetch(self, path: str, folder: Path) -> Path:  # noqa: ARG002
        self.open(path).close()  # MissingFile now, and not from whoever reads it
        return self._locate(path)

    def open(self, path: str) -> BinaryIO:
        return _opened(self._locate(path))

    def head(self, path: str) -> Entry | None:
        file = self._locate(path)
        with _explained(file, "examined"):
            return self._entry(file, path, outside=not self._holds(file))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        with _explained(self.root, "listed"):
            if self.root.exists() and not self.root.is_dir():
                raise StorageError(f"{self.root} is a file where a folder is expected: name the folder that holds it.")
        start = checked(prefix, self.uri).rpartition("/")[0] if prefix else ""
        beyond = bool(start) and not self._holds(self.root / start)
        pending = self._children(start)
        while pending:
            child, path = pending.pop()
            if not path.startswith(prefix) or child.name.startswith(TEMPORARY):
                continue
            if child.is_dir(follow_symlinks=False):
                pending += self._children(path)
                continue
            with _explained(child, "listed"):
                entry = self._entry(child, path, beyond or (child.is_symlink() and not self._holds(child)))
            if entry:
                yield entry

    def folders(self, prefix: str = "") -> Iterator[str]:
        for child, _ in reversed(self._children(checked(prefix, self.uri) if prefix else "")):
            if child.is_dir(follow_symlinks=False):
                yield child.name

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            with _explained(self._locate(path), "deleted"):
                self._locate(path).unlink(missing_ok=True)

    def sweep(self, older_than_s: float) -> int:
        swept = 0
        for file in self.root.rglob(TEMPORARY + "*"):
            with _explained(file, "deleted"):
                if time.time() - file.lstat().st_mtime > older_than_s:
                    file.unlink(missing_ok=True)
                    swept += 1
        return swept

    def _locate(self, path: str) -> Path:
        return self.root / checked(path, self.uri)

    def _holds(self, file: os.PathLike[str]) -> bool:
        """Whether a path is still under the root when every symbolic link is followed."""
        root = os.path.realpath(self.root)
        return os.path.commonpath([root, os.path.realpath(file)]) == root

    def _children(self, folder: str) -> Children:
        """A folder's content, last path first. A folder sorts as its files will: with the slash after its name."""
        try:
            with _explained(self.root / folder, "listed"), os.scandir(self.root / folder) as found:
                children = [(child, f"{folder}/{child.name}" if folder else child.name) for child in found]
        except MissingFile:
            return []
        slash = {path: "/" if child.is_dir(follow_symlinks=False) else "" for child, path in children}
        return sorted(children, key=lambda c: os.fsencode(c[1] + slash[c[1]]), reverse=True)

    def _entry(self, file: os.PathLike[str], path: str, outside: bool) -> Entry | None:
        """The entry of a file or link; None for folders, pipes, devices, and what is gone by now."""
        try:
            status = os.stat(file)
        except OSError as error:
            if not os.path.islink(file):
                if error.errno in NO_SUCH_FILE:
                    return None
                raise
            status = os.lstat(file)
        if not outside and not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
            return None
        return Entry(path, status.st_size, f"{status.st_mtime_ns}-{status.st_size}", status.st_mtime, outside)

    @contextmanager
    def _replacing(self, path: str, size: int) -> Iterator[Path]:
        """A file to make of `size` bytes, which takes its place when the block ends well and leaves nothing if not."""
        target = self._locate(path)
        temporary = target.parent / f"{TEMPORARY}{uuid.uuid4().hex}"
        with _explained(target, "written"):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                yield temporary
                _sync_file(temporary)
                if temporary.stat().st_size != size:
                    raise StorageError(
                        f"{target} was not written: {temporary.stat().st_size} of {size} bytes arrived on the disk, or "
                        "the file being copied changed meanwhile. Run it again; if it stays so, check the disk."
                    )
                os.replace(temporary, target)
            finally:
                temporary.unlink(missing_ok=True)
            _sync_folder(target.parent)


def _opened(file: Path) -> BinaryIO:
    with _explained(file, "read"):
        return open(file, "rb")


def _sync_file(file: Path) -> None:
    with open(file, "rb") as written:
        os.fsync(written.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, so that no commit outlives the shard it names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


@contextmanager
def _explained(file: os.PathLike[str], done: str) -> Iterator[None]:
    """Turn an operating system's error into a StorageError about `file`, which could not be `done`."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _explain(error, os.fspath(file), done) from error


def _explain(error: OSError, file: str, done: str) -> StorageError:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            limit = "the disk is full" if error.errno == errno.ENOSPC else "your disk quota is used up"
            return NoSpace(
                f"{file} could not be written: {limit}. Nothing half-written is left; free some space or choose "
                "another output, and run the same command again: it resumes."
            )
        case errno.EFBIG:
            return NoSpace(
                f"{file} could not be written: it is larger than this process or file system allows. Raise the limit "
                "(`ulimit -f`) or choose another output, and run the same command again: it resumes."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return FileDenied(
                f"{file} could not be {done}: {error.strerror}. Change its permissions or its owner, or run as a user "
                "who may."
            )
        case number if number in NO_SUCH_FILE and done in ("read", "listed"):
            return MissingFile(f"{file} could not be {done}: {error.strerror}.")
    return StorageError(f"{file} could not be {done}: {error.strerror}. Check the path and the disk it is on.")
