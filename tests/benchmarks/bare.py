"""The same kernels with nothing around them: two processes, a list of files, plain tars."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import webdataset

from sluice.preprocess.perception.decode import decode, read_header
from sluice.preprocess.perception.depth import to_uint16
from sluice.preprocess.perception.depth_cue import depth_cue
from sluice.preprocess.perception.edges import canny, gradient
from sluice.preprocess.perception.geometry import apply_to_image, plan_geometry
from sluice.preprocess.record import decode_jpeg, encode_jpeg, encode_png

PROCESSES = 2
SIZE = 512

Fields = dict[str, bytes]


def image_only(data: bytes) -> Fields:
    """The image stage: decode, resize, crop, encode."""
    header = read_header(data)
    geometry = plan_geometry(header.size, SIZE)
    return {"jpg": encode_jpeg(apply_to_image(decode(data, header, geometry.stored), geometry))}


def with_canny(data: bytes) -> Fields:
    """Image and Canny. Edges are of the JPEG as it is stored, which is what training sees."""
    fields = image_only(data)
    return {**fields, "canny.png": encode_png(canny(decode_jpeg(fields["jpg"])))}


def four_stages(data: bytes) -> Fields:
    """Image, Canny, the gradient in HED's place, the depth cue."""
    fields = image_only(data)
    image = decode_jpeg(fields["jpg"])
    return {
        **fields,
        "canny.png": encode_png(canny(image)),
        "hed.png": encode_png(gradient(image)),
        "depth.png": encode_png(to_uint16(depth_cue(image))),
    }


STAGES: dict[Callable[[bytes], Fields], dict[str, dict[str, Any]]] = {
    image_only: {"image": {"size": SIZE}},
    with_canny: {"image": {"size": SIZE}, "canny": {}},
    four_stages: {"image": {"size": SIZE}, "canny": {}, "hed": {"model": "gradient"}, "depth": {"model": "cue"}},
}
"""What makes the same fields in Sluice."""


def sample(data: bytes, kernels: Callable[[bytes], Fields]) -> dict[str, Any]:
    """One image as a webdataset sample: key, fields, and a `json` that names the original."""
    digest = hashlib.sha256(data).hexdigest()
    return {"__key__": digest[:16], **kernels(data), "txt": b"", "json": json.dumps({"sha256": digest}).encode()}


def pool(kernels: Callable[[bytes], Fields], shard: int, photos: Path, out: Path) -> None:
    """A data set by a pool of processes, each of which writes whole shards of so many photographs."""
    paths = sorted(photos.iterdir())
    out.mkdir()
    shards = [(out / f"{start:06}.tar", paths[start : start + shard]) for start in range(0, len(paths), shard)]
    with multiprocessing.get_context("spawn").Pool(PROCESSES, cv2.setNumThreads, (1,)) as processes:
        processes.starmap(partial(_write, kernels), shards, chunksize=1)


def _write(kernels: Callable[[bytes], Fields], tar: Path, paths: Sequence[Path]) -> None:
    with webdataset.TarWriter(str(tar), encoder=False) as writer:
        for path in paths:
            writer.write(sample(path.read_bytes(), kernels))


def floor(photos: Path, out: Path) -> None:
    """Files to JPEGs in memory, by two processes: what the kernels alone take."""
    out.mkdir()
    with multiprocessing.get_context("spawn").Pool(PROCESSES, cv2.setNumThreads, (1,)) as processes:
        processes.map(_discard, sorted(photos.iterdir()), chunksize=25)


def _discard(path: Path) -> None:
    image_only(path.read_bytes())
