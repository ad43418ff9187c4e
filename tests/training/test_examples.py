"""Records as tensors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sluice.preprocess.record import Record
from sluice.preprocess.silence import kept_segments
from sluice.training.examples import WrongSize, fields_seen, image, seen, speaking


def record() -> Record:
    rng = np.random.default_rng(0)
    segments = np.repeat(np.arange(4, dtype=np.uint16), 4).reshape(4, 4).repeat(2, 0).repeat(2, 1)
    return Record(
        "0123456789abcdef",
        values={
            "jpg": rng.integers(0, 256, (8, 8, 3), dtype=np.uint8),
            "canny.png": np.full((8, 8), 255, np.uint8),
            "depth.png": np.full((8, 8), 65535, np.uint16),
            "segments.png": segments,
            "latent.npy": rng.normal(size=(2, 4, 2, 2)).astype(np.float16),
            "text.npy": rng.normal(size=(5, 6)).astype(np.float16),
            "txt": "a red ball",
        },
    )


def test_what_was_cached_is_taken_where_it_is_there() -> None:
    assert fields_seen({"jpg", "txt", "latent.npy"}) == ("latent.npy", "txt")
    cached = seen(record(), ("latent.npy", "text.npy"), 8)
    assert {name: tuple(value.shape) for name, value in cached.items()} == {"posterior": (2, 4, 2, 2), "states": (5, 6)}
    made = seen(record(), fields_seen({"jpg", "txt"}), 8)
    assert made.keys() == {"pixels"}
    assert made["pixels"].shape == (3, 8, 8)
    assert -1 <= float(made["pixels"].min()) < 0 < float(made["pixels"].max()) <= 1


@pytest.mark.parametrize("field", ["canny.png", "depth.png"])
def test_one_channel_becomes_three_of_0_to_1(field: str) -> None:
    assert torch.equal(image(record(), field, 8), torch.ones(3, 8, 8))


def test_a_control_speaks_inside_the_kept_segments_of_its_epoch() -> None:
    own = record()
    for epoch in range(6):
        kept = kept_segments(range(4), 0, epoch, own.key)
        wanted = torch.from_numpy(np.isin(own["segments.png"], list(kept))).float()[None]
        assert torch.equal(speaking(own, 0, epoch), wanted)


def test_another_size_is_named_with_what_to_do() -> None:
    with pytest.raises(WrongSize, match=r"canny.png is 8 x 8 pixels, .* size is 16: .*stages.image.size=16"):
        image(record(), "canny.png", 16)
