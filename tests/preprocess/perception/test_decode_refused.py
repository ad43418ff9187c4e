"""What is no picture, or would take too much of a machine, is refused before it does."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sluice.preprocess.perception.decode import DecodeError, read_header
from tests.preprocess.perception.made_pictures import RAMP, RGB, decoded, encoded


def bomb(width: int, height: int) -> bytes:
    """A white PNG of one bit a pixel, compressed a thousand times."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    squeeze = zlib.compressobj(9)
    row = b"\0" + b"\xff" * ((width + 7) // 8)
    pixels = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF"])
def test_animations_are_refused(format: str) -> None:
    with pytest.raises(DecodeError, match="animated"):
        read_header(encoded(RGB, format, save_all=True, append_images=[Image.fromarray(255 - RGB)]))


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 9_000)])
def test_a_bomb_is_refused_before_it_goes_off(size: tuple[int, int]) -> None:
    data = bomb(*size)
    start = time.perf_counter()
    with pytest.raises(DecodeError, match="pixels"):
        read_header(data)
    assert time.perf_counter() - start < 1


def tiled_tiff(side: int, tile: int) -> bytes:
    """A black TIFF of `side` pixels whose one tile has `tile` pixels a side, compressed a thousand times."""
    squeeze = zlib.compressobj(9)
    pixels = b"".join(squeeze.compress(bytes(tile)) for _ in range(tile)) + squeeze.flush()
    size, eight_bits, deflate = {256: side, 257: side}, {258: 8}, {259: 8}
    tags = size | eight_bits | deflate | {262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: len(pixels)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(pixels)) + pixels + struct.pack("<H", len(tags)) + table + bytes(4)


PEAK = """
import resource, sys
from pathlib import Path
from sluice.preprocess.perception import decode as perception
from sluice.preprocess.perception.decode import DecodeError, decode, read_header
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
data, before = Path(sys.argv[1]).read_bytes(), peak()
try:
    decode(data, read_header(data))
except DecodeError as error:
    print(error)
print(peak() - before)
"""


def in_a_process(script: str, file: Path) -> list[str]:
    """What it says; in this one the memory that is free depends on the tests before."""
    asked = [sys.executable, "-c", script, str(file)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_tile_larger_than_its_picture_takes_no_more_memory_than_the_picture_may(tmp_path: Path) -> None:
    assert decoded(tiled_tiff(64, 1024)).shape == (64, 64, 3)
    (tmp_path / "bomb").write_bytes(tiled_tiff(64, 16384))
    said, grown = in_a_process(PEAK, tmp_path / "bomb")
    assert said == "decoding 64 x 64 pixels takes more than 135 MB of memory"
    assert float(grown) < 150, "its tile has 256 MB"


OF_A_SIZE = """
import sys
from pathlib import Path
from sluice.preprocess.perception import decode as perception
data = Path(sys.argv[1]).read_bytes()
header = perception.read_header(data)
perception.SPARE_BYTES = 1 << 20
for perception.BYTES_A_PIXEL in (10, 32):
    try:
        print(perception.decode(data, header).shape)
    except perception.DecodeError as error:
        print(error)
"""


def test_a_picture_takes_what_its_size_may(tmp_path: Path) -> None:
    """One with alpha takes 18 bytes a pixel."""
    (tmp_path / "large").write_bytes(encoded(np.zeros((2500, 2500, 4), np.uint8), "PNG"))
    said = in_a_process(OF_A_SIZE, tmp_path / "large")
    assert said == ["decoding 2500 x 2500 pixels takes more than 64 MB of memory", "(2500, 2500, 3)"]


def progressive(repeated: int) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    data = encoded(RAMP, "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * repeated + data[-2:]


def test_a_jpeg_of_scans_without_end_is_refused() -> None:
    assert decoded(progressive(50)).shape == (48, 64, 3)
    with pytest.raises(DecodeError, match="a JPEG of more than 100 scans"):
        read_header(progressive(100))


def test_a_film_after_the_photograph_is_no_scan() -> None:
    data = encoded(RGB, "JPEG")
    assert (decoded(data + b"\xff\xda" * 1000) == decoded(data)).all()
    assert (decoded(encoded(RGB, "JPEG", comment=b"\xff\xda" * 1000)) == decoded(data)).all()


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(DecodeError, match="empty"):
        read_header(b"")
    with pytest.raises(DecodeError, match=r"no readable JPEG, PNG.*<html>"):
        read_header(b"<html>not found</html>")
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'
    for other in (svg, b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF-3.0\n", encoded(RGB, "PPM"), encoded(RGB, "ICO")):
        with pytest.raises(DecodeError, match="no readable"):
            read_header(other)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, 1000.0])
def test_values_that_no_picture_has_are_refused(value: float) -> None:
    picture = RAMP.astype(np.float32)
    picture[3, 3] = value
    with pytest.raises(DecodeError, match=r"finite|was expected"):
        decoded(encoded(picture, "TIFF"))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_cut_files_are_refused(format: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(noise, format)
    with pytest.raises(DecodeError):
        decoded(data[: int(kept * len(data))])
