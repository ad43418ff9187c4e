"""Fields of records that others wrote."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from sluice.preprocess.record import FieldError, check_field, decode_jpeg, decode_npy, decode_png, encode_jpeg
from tests.preprocess.perception.made_pictures import encoded
from tests.preprocess.perception.test_decode_refused import bomb


def test_a_png_that_is_too_large_is_refused_by_its_header() -> None:
    with pytest.raises(FieldError, match="30000 x 30000 pixels are more than the 64000000 that a field may have"):
        decode_png(bomb(30_000, 3)[:16] + (30_000).to_bytes(4, "big") * 2)


def test_a_jpeg_that_is_too_large_is_refused_by_its_header() -> None:
    data = encode_jpeg(np.zeros((16, 16, 3), np.uint8))
    size = data.index(b"\xff\xc0") + 5
    with pytest.raises(FieldError, match="9000 x 8000 pixels are more than"):
        decode_jpeg(data[:size] + (8000).to_bytes(2, "big") + (9000).to_bytes(2, "big") + data[size + 4 :])


@pytest.mark.parametrize("format", ["TIFF", "BMP", "WEBP"])
def test_no_other_format_is_let_in_under_a_pngs_name(format: str) -> None:
    with pytest.raises(FieldError, match="not a PNG"):
        decode_png(encoded(np.zeros((8, 8, 3), np.uint8), format))


class Evil:
    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return (Path.touch, (self.ran,))


def test_no_pickle_is_read_in_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "evil.npy", np.array([Evil(tmp_path / "ran")], dtype=object), allow_pickle=True)
    data = (tmp_path / "evil.npy").read_bytes()
    for evil in (data, pickle.dumps(Evil(tmp_path / "ran"))):
        with pytest.raises(ValueError, match="allow_pickle"):
            decode_npy(evil)
    assert "does not decode" in str(check_field("clip.npy", data))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", ["pickle", "pkl", "pyd", "pth", "pt"])
def test_no_field_has_a_suffix_that_webdataset_unpickles(suffix: str) -> None:
    assert "no known suffix" in str(check_field(f"clip.{suffix}", b""))
