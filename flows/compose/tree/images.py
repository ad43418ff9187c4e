"""A job's images as pixels: of files, of scenes that are drawn, and of records."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sluice.flows.compose.tree.nodes import Image, Node, OfRecord, OfScene, Scene
from sluice.flows.compose.tree.weights import found
from sluice.flows.training.data import Split, open_data
from sluice.infra.digests import sha256_of
from sluice.infra.settings import ConfigError, nearest
from sluice.infra.storage import storage
from sluice.preprocess.perception.decode import DecodeError, decode, read_header
from sluice.preprocess.perception.edges import canny
from sluice.preprocess.perception.geometry import upright
from sluice.preprocess.perception.hed import Hed, load_hed, soft_edges
from sluice.preprocess.record import Array, FieldError, decode_png, field_named
from sluice.preprocess.shards import read_shard
from sluice.preprocess.sources import Address
from sluice.preprocess.sources.stored import LARGEST_FILE
from sluice.preprocess.sources.tabletop import Tabletop, TabletopConfig
from sluice.training.data import TrainingData, TrainingShard

FIELDS = {"image": "jpg", "background": "bg.jpg"}
"""Of a record, where they are not called `<name>.png`."""
SPLITS: tuple[Split, ...] = ("train", "validation")


def pixels_of(image: Image, folder: Path, size: int) -> Array:
    """Levels 0 to 1, float32 `(height, width, 3)`; files and `of` lie in `folder`, and scenes are drawn in this size.

    Raises ConfigError for what is not there or is no image, and what a data set's reader raises.
    """
    pixels = _read(image, folder, size)
    levels = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return levels if levels.ndim == 3 else np.repeat(levels[..., None], 3, axis=2)


def name_of(image: Image, size: int) -> str:
    """What a record calls it."""
    return f"{image}, {size} px" if isinstance(image, OfScene) else str(image)


def digest_of(image: Image, folder: Path, size: int) -> str:
    """The SHA-256 of a file, or of the pixels of anything else. Raises as `pixels_of`."""
    if isinstance(image, Path):
        if not (folder / image).is_file():
            raise ConfigError(f"{folder / image}, a condition of the job, is not there")
        return sha256_of(folder / image)
    pixels = _read(image, folder, size)
    return hashlib.sha256(f"{pixels.shape} {pixels.dtype}".encode() + pixels.tobytes()).hexdigest()


def images_of(node: Any) -> Iterator[Image]:
    """All that a job's tree names."""
    if isinstance(node, Path | OfScene | OfRecord):
        yield node
    elif isinstance(node, tuple):
        for own in node:
            yield from images_of(own)
    elif isinstance(node, Node):
        for name in type(node).model_fields:
            yield from images_of(getattr(node, name))


def _read(image: Image, folder: Path, size: int) -> Array:
    if isinstance(image, OfScene):
        return _drawn(image.drawn, size)
    if isinstance(image, OfRecord):
        return _of_record(image, folder)
    return _of_file(folder / image)


def _of_file(file: Path) -> Array:
    try:
        data = _bytes(file)
        header = read_header(data)
        return upright(decode(data, header), header.orientation)
    except FileNotFoundError as error:
        raise ConfigError(f"{file}, a condition of the job, is not there") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}, a condition of the job, is no image that can be read ({error})") from error


def _bytes(file: Path) -> bytes:
    """Raises OSError, and DecodeError for what might be read without end."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise DecodeError("it is a folder, a pipe or a device")
    if status.st_size > LARGEST_FILE:
        raise DecodeError(f"its {status.st_size} bytes are more than the {LARGEST_FILE} that one file may have")
    return file.read_bytes()


def _drawn(scene: Scene, size: int) -> Array:
    """By the renderer, and what stages make of its image by their functions."""
    made: dict[str, Callable[[Array], Array]] = {"image": lambda image: image, "canny": canny, "hed": _hed}
    config = TabletopConfig(uri=str(scene.scene + 1), seed=scene.seed, size=size, law=scene.law)
    place, field = f"{scene.scene}.png", f"raw.{scene.field}"
    (raw,) = Tabletop(config).read([Address(place, place)], {field})
    return made[scene.field](decode_png(raw.fields["raw"])) if scene.field in made else decode_png(raw.fields[field])


def _hed(image: Array) -> Array:
    weights = found("hed")
    (edges,) = soft_edges(_edge_network(weights.path, weights.digest), image[None])
    return np.asarray(edges)


@lru_cache(maxsize=1)
def _edge_network(file: Path, digest: str) -> Hed:  # noqa: ARG001 - another file of the name is another network
    """Kept from one scene to the next: it loads more slowly than it looks."""
    return load_hed(file, torch.device("cpu"), torch.float32)


def _of_record(image: OfRecord, folder: Path) -> Array:
    uri = image.of if "://" in image.of else str((folder / image.of).absolute())
    name = image.field if "." in image.field else FIELDS.get(image.field, f"{image.field}.png")
    record = next(_records(uri, image.record, name), None)
    if record is None:
        raise ConfigError(f"{uri} holds no record {image.record}, of which the job names {image.field}")
    if name not in record:
        raise ConfigError(f"record {image.record} of {uri} has no {name}; {nearest(name, record)}")
    return _decoded(record[name], name, f"{name} of record {image.record} of {uri}")


def _decoded(data: bytes, name: str, where: str) -> Array:
    try:
        field = field_named(name)
        if field.shape != "image":
            raise FieldError(f"it is {field.describes}; name an image, as in `field: image` or `field: canny`")
        pixels: Array = field.decode(data)
        if pixels.ndim == 3 and pixels.shape[2] != 3:
            raise FieldError(f"it has {pixels.shape[2]} channels, and grey or RGB is expected")
    except Exception as error:  # decoders raise whatever the damage makes them trip over
        raise ConfigError(f"{where}, a condition of the job, is no image that can be read ({error})") from error
    return pixels


def _records(uri: str, key: str, field: str) -> Iterator[dict[str, bytes]]:
    """Those with a key: of one tar, or with a field of a data set."""
    if uri.endswith(".tar"):
        place, _, tar = uri.rpartition("/")
        lies_in = storage(place)
        if lies_in.head(tar) is None:  # a pipe would be waited for
            raise ConfigError(f"{uri}, of which the job names record {key}, is not there, or is no file")
        with lies_in.open(tar) as stream:
            yield from (record for own, record in read_shard(stream, None, uri) if own == key)
        return
    data = open_data(uri)
    if field not in data.fields:
        raise ConfigError(f"{uri} has no {field}; {nearest(field, data.fields)}")
    lies = _places(uri, f"{data.digest} {data.withdrawn}", field).get(key)
    if lies is not None:
        training, shard = lies
        yield training.read(replace(shard, keys=(key,)), [field])[key]


@lru_cache(maxsize=4)
def _places(uri: str, state: str, field: str) -> Mapping[str, tuple[TrainingData, TrainingShard]]:  # noqa: ARG001
    """The shard of each record in some `state` of a data set: read once, as a table may name thousands of records."""
    data = open_data(uri)
    splits = [data.split(split, [field]) for split in SPLITS]
    return {key: (training, shard) for training in splits for shard in training.shards for key in shard.keys}
