"""That marks take the share of a surface that a colour allows them."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.preprocess.tabletop.textures import TEXTURES

# A whole number of periods of every texture.
SIDE = np.linspace(0, 0.3 * 0.33 * 0.27 * 4000, 3000, endpoint=False, dtype=np.float32)
MARKED = [name for name in TEXTURES if name != "plain"]


@pytest.mark.parametrize("name", MARKED)
@pytest.mark.parametrize("share", [0.18, 0.42])
def test_marks_take_no_more_than_their_share(name: str, share: float) -> None:
    taken = TEXTURES[name](SIDE[None, :], SIDE[:, None], share, 0.01).mean()
    assert 0.75 * share < taken < 1.03 * share


def test_plain_has_no_marks() -> None:
    assert not TEXTURES["plain"](SIDE[None, :9], SIDE[:7, None], 0.4, 0.01).any()


def test_textures_tell_apart() -> None:
    side = np.linspace(0, 1, 64, dtype=np.float32)
    maps = [TEXTURES[name](side[None, :], side[:, None], 0.4, 1 / 64) for name in TEXTURES]
    for i, one in enumerate(maps):
        for other in maps[i + 1 :]:
            assert np.abs(one - other).mean() > 0.2
