"""Where a composed picture comes from: its job, its models, and the images that it was told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from sluice.flows.compose.run.naming import NAMED_BY, name_by
from sluice.flows.compose.run.pictures import named
from sluice.flows.compose.tree.images import digest_of
from sluice.flows.compose.tree.nodes import image_of
from sluice.flows.compose.tree.weights import WEIGHTS
from sluice.flows.operate.of_network import of_weights
from sluice.flows.operate.of_record import of_record
from sluice.flows.operate.of_version import built
from sluice.flows.operate.told import NoLineage, Told, plain
from sluice.infra.digests import sha256_of
from sluice.infra.errors import SluiceError
from sluice.infra.shape import read_shaped
from sluice.infra.storage import MissingFile, Storage

ASKED = (*NAMED_BY, "folder")
"""Of a record, what was asked for, and where its images lay."""


class _Job(BaseModel):
    prompts: list[str] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    size: int
    safety: str | None = None
    picture: dict[str, Any]


class _Record(BaseModel):
    job: _Job
    made_of: dict[str, str]
    sluice: str
    folder: str


def of_picture(place: Storage, name: str) -> Told:
    """Of `NAME.png`, by the record beside it. Raises NoLineage where there is none."""
    stem = name.rpartition(".")[0]
    record = _record(place, f"{stem}.json")
    job = record["job"]
    there = "" if place.head(f"{stem}.png") else ", which is no longer there"
    models = {own for own in record["made_of"] if own in named(job, *WEIGHTS) or own == job.get("safety")}
    images = {own: digest for own, digest in record["made_of"].items() if own not in models}
    return Told(
        f"picture {place.uri}/{stem}.png{there}{_edited(stem, record)}",
        [
            Told(f"job: {plain(job['prompts'][0])!r}, seed {job['seeds'][0]}", list(_settings(job))),
            Told(f"code: {record.get('code', record['sluice'])}"),
            *(of_weights(own, record["made_of"][own], Path(record["folder"])) for own in sorted(models)),
            *(_image(own, digest, Path(record["folder"]), job) for own, digest in images.items()),
            *_noted(record),
        ],
    )


def _record(place: Storage, path: str) -> dict[str, Any]:
    try:
        return read_shaped(_Record, place.read(path))
    except MissingFile as error:
        picture = f"{path.removesuffix('.json')}.png"
        if place.head(picture) is None:
            raise NoLineage(f"{place.uri}/{picture} is not there: name a picture that `sluice compose` made") from error
        raise NoLineage(
            f"{place.uri}/{path} is not there, and only it says how the picture was made: a picture of "
            "`sluice compose` has it beside it"
        ) from error
    except ValueError as error:
        raise NoLineage(
            f"{place.uri}/{path} is no record of `sluice compose`, or is damaged ({error}): in the latter case compose "
            "the job again into an empty folder"
        ) from error


def _edited(stem: str, record: Mapping[str, Any]) -> str:
    """A picture's name is the digest of what was asked for."""
    own = name_by(record)
    return "" if own == stem.rpartition("/")[2] else f" (renamed, or its record was edited: that is of {own})"


def _settings(job: Mapping[str, Any]) -> Iterator[Told]:
    yield Told(plain({name: value for name, value in job.items() if not isinstance(value, dict | list)}))
    yield from _node("picture", job["picture"])


def _node(name: str, node: Mapping[str, Any]) -> Iterator[Told]:
    """A node of the job's tree, and those in it."""
    own = {key: value for key, value in node.items() if not _nests(value) and value is not None}
    under = [told for key, value in node.items() if _nests(value) for told in _each(key, value)]
    yield Told(f"{name}: {plain(own)}", under)


def _each(name: str, value: Any) -> Iterator[Told]:
    for node in value if isinstance(value, list) else [value]:
        yield from _node(name, node) if isinstance(node, dict) else [Told(f"{name}: {plain(node)}")]


def _nests(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(own, dict) for own in value))


def _image(name: str, digest: str, folder: Path, job: Mapping[str, Any]) -> Told:
    """A file with its digest; of a record, where that comes from."""
    told = {f"{own['field']} of record {own['record']} of {own['of']}": own for own in _records(job)}
    record = told.get(name)
    if record is not None:
        now = _pixels(record, digest, folder, job)
        return Told(f"image: {name}, SHA-256 of its pixels {digest}{now}", [_of(record, folder)])
    if " of scene " in name:
        return Told(f"image: {name}, drawn by Sluice, SHA-256 of its pixels {digest}")
    if not (folder / name).is_file():
        return Told(f"image: {folder / name}, which is no longer there; its SHA-256 was {digest}")
    now = sha256_of(folder / name)
    return Told(
        f"image: {folder / name}, SHA-256 {digest}" + ("" if now == digest else f"; what is there now has {now}")
    )


def _pixels(record: Mapping[str, Any], digest: str, folder: Path, job: Mapping[str, Any]) -> str:
    """Whether the record still has these: a data set's name means another version later."""
    try:
        now = digest_of(image_of(record), folder, job["size"])
    except SluiceError as error:
        return f"; it cannot be read now ({plain(error)})"
    return "" if now == digest else f"; what is there now has {now}"


def _of(record: Mapping[str, Any], folder: Path) -> Told:
    uri = record["of"] if "://" in record["of"] else str(folder / record["of"])
    try:
        place, version = built(uri)
        return of_record(place, version, record["record"])
    except SluiceError as error:
        return Told(f"record {record['record']} of {uri}: not to be found ({plain(error)})")


def _records(node: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(node, dict):
        if {"record", "of", "field"} <= node.keys():
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for own in node:
            yield from _records(own)


def _noted(record: Mapping[str, Any]) -> Iterator[Told]:
    told = {name: value for name, value in record.items() if name not in (*ASKED, "code", "left_out") and value}
    if told:
        yield Told(plain(told))
