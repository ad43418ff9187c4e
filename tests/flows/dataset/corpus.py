"""A folder of everything that goes wrong with pictures, beside good ones, and what must become of each."""

from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from tests.flows.conftest import picture

HUGE = (512 << 20) + 1


@dataclass(frozen=True)
class Fate:
    """What becomes of a bad image: the stage that leaves it out, as what, and words of the reason."""

    stage: str
    kind: str
    reason: str


def failed(stage: str, reason: str) -> Fate:
    return Fate(stage, "failed", reason)


def filtered(reason: str) -> Fate:
    return Fate("image", "filtered", reason)


# URI -> what must become of it; `None` is a record like any other.
FATES: dict[str, Fate | None] = {
    "1x1.png": filtered("the shorter side has 1 pixels"),
    "1x5000.png": filtered("the shorter side has 1 pixels"),
    "20x5000.png": filtered("longer than max_aspect"),
    "animated.gif": failed("image", "animated"),
    "animated.webp": failed("image", "animated"),
    "bomb.png": failed("image", "too many pixels"),
    "cut.jpg": failed("image", "a damaged or cut JPEG"),
    "cut.png": failed("image", "a damaged or cut PNG"),
    "dangling.jpg": failed("index", "could not be read"),
    "empty.jpg": failed("image", "the file is empty"),
    "huge.png": failed("index", "more than the"),
    "latin-caption.jpg": None,
    "long-caption.jpg": filtered("max_caption = 2000: the first has 1000000 characters"),
    "loop.jpg": failed("index", "could not be read"),
    "named-as-image.jpg/inside.jpg": None,
    "nan.tiff": failed("image", "not finite"),
    "nested-json.jpg": None,
    "new\nline.jpg": None,
    "not-utf-8-\\xff.jpg": failed("index", "is not UTF-8"),
    "outside.jpg": failed("index", "leads out of the source's folder"),
    "poison.jpg": failed("poison", "killed its worker"),
    "text.jpg": failed("image", "no readable"),
}


def write_corpus(folder: Path) -> None:
    """Every file of `FATES`, `twin.jpg` twice, and a pipe that nobody feeds, which no reader may wait for."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(
        ["cut.jpg", "latin-caption.jpg", "long-caption.jpg", "nested-json.jpg", "poison.jpg"]
    ):
        (folder / name).write_bytes(jpeg(1000 + number))
    (folder / "cut.jpg").write_bytes(jpeg(1000)[:1200])
    (folder / "latin-caption.txt").write_bytes("un café".encode("latin-1"))
    (folder / "long-caption.txt").write_text("x" * 1_000_000)
    (folder / "nested-json.json").write_text("[" * 100_000)
    (folder / "poison.txt").write_text("poison")
    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("<html>404 not found</html>")
    (folder / "new\nline.jpg").write_bytes(jpeg(1010))
    (folder / "named-as-image.jpg").mkdir()
    (folder / "named-as-image.jpg" / "inside.jpg").write_bytes(jpeg(1011))
    Path(os.fsdecode(os.fsencode(folder) + b"/not-utf-8-\xff.jpg")).write_bytes(jpeg(1012))
    (folder / "twin.jpg").write_bytes(jpeg(1013))
    (folder / "twin-again.jpg").write_bytes(jpeg(1013))
    _write_links(folder)
    _write_shapes(folder)
    os.mkfifo(folder / "pipe.jpg")


def _write_links(folder: Path) -> None:
    outside = folder.parent / "private"
    outside.mkdir(exist_ok=True)
    (outside / "secret.jpg").write_bytes(jpeg(1014))
    (folder / "outside.jpg").symlink_to(outside / "secret.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")


def _write_shapes(folder: Path) -> None:
    for width, height in ((1, 1), (1, 5000), (20, 5000)):
        (folder / f"{width}x{height}.png").write_bytes(encoded("PNG", picture(width + height)[:1, :1], (width, height)))
    (folder / "cut.png").write_bytes(encoded("PNG", picture(1020))[:4000])
    frames = [Image.fromarray(picture(seed)) for seed in (1021, 1022)]
    for name in ("animated.gif", "animated.webp"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:])
    Image.fromarray(np.full((40, 40), np.nan, np.float32)).save(folder / "nan.tiff")
    (folder / "bomb.png").write_bytes(bomb(30_000))
    with (folder / "huge.png").open("wb") as huge:
        huge.truncate(HUGE)  # takes no space


def jpeg(seed: int) -> bytes:
    """A good picture."""
    return bytes(cv2.imencode(".jpg", picture(seed))[1])


def encoded(kind: str, image: np.ndarray[Any, Any], size: tuple[int, int] | None = None) -> bytes:
    """An image file of a kind, at (width, height) where given."""
    stream = io.BytesIO()
    Image.fromarray(image).resize(size or image.shape[1::-1]).save(stream, kind)
    return stream.getvalue()


def bomb(side: int) -> bytes:
    """A whole white PNG, `side` x `side`: some 100 kB that decode to gigabytes."""
    row = b"\0" + b"\xff" * (side // 8)
    deflate = zlib.compressobj(9)
    pixels = b"".join(deflate.compress(row) for _ in range(side)) + deflate.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
