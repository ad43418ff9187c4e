"""Fields drawn, or said in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sluice.preprocess.page.pictures import HATCH, OUTLINE, in_words, picture, silenced


def test_a_silenced_control_keeps_its_segments_and_nothing_else() -> None:
    segments = np.zeros((60, 80), np.uint16)
    segments[10:50, 10:40], segments[20:40, 50:70] = 5, 900
    image = silenced("canny.png", np.full((60, 80), 255, np.uint8), segments, {5}, None)
    assert (image[12:48, 12:38] == 255).all()
    assert (image[10, 10:40] == OUTLINE).all()
    rest = image[segments != 5]
    assert {tuple(pixel) for pixel in rest.tolist()} == {(0, 0, 0), HATCH}
    assert 0.05 < (rest == HATCH).all(axis=1).mean() < 0.2


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("brightness.json", 127.25, "127.25"),
        ("is_night.json", False, "false"),
        ("taken.json", None, "null"),
        ("exif.json", {"iso": 100, "lens": "50 mm"}, "2 entries"),
        ("places.json", ["Zürich"], "1 entries"),
        ("licence.txt", "CC0", "3 characters"),
        ("clip.npy", np.zeros((2, 3), np.float16), "2 × 3 float16"),
        ("pose.json", {"people": []}, "nobody"),
        ("safety.json", {"model": "open-nsfw", "unsafe": 0.0312}, "unsafe: 0.03 of 1, says open-nsfw"),
    ],
)
def test_what_is_no_picture_is_said_in_words(field: str, value: Any, words: str) -> None:
    assert in_words(field, value) == words


def test_depth_is_brighter_where_it_is_nearer() -> None:
    shown = picture("depth.png", np.linspace(0, 65535, 64).astype(np.uint16)[None])
    luminance = shown[0] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > 0).all()


def test_segments_have_colours_of_their_own() -> None:
    shown = picture("segments.png", np.arange(40, dtype=np.uint16)[None])
    assert len({tuple(colour) for colour in shown[0].tolist()}) == 40
