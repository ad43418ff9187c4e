"""Coverage, lines, windows and noise: what every picture is made of."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.preprocess.tabletop.grid import coverage, grid, lines, noise, noise_tile, paper


def test_places_and_pixels_agree() -> None:
    at = grid((40, 100))
    assert at.unit == 40
    for column in (0, 37, 99):
        assert at.column(float(at.across[0, column])) == pytest.approx(column, abs=1e-4)
    for row in (0, 20, 39):
        assert at.row(float(at.down[row, 0])) == pytest.approx(row, abs=1e-4)


def test_coverage_keeps_a_discs_area_however_few_pixels_it_has() -> None:
    for side in (16, 64, 256):
        at = grid(side)
        disc = coverage(np.sqrt(at.across**2 + at.down**2) - 0.3, 1 / side)
        assert disc.sum() / side**2 == pytest.approx(np.pi * 0.09, rel=0.02)


def test_lines_take_the_share_that_their_width_promises() -> None:
    place = np.arange(0, 10, 0.001, dtype=np.float32)[None, :]
    assert lines(place, 0.25, 0.05, 0.01).mean() == pytest.approx(0.2, abs=0.002)


def test_a_window_holds_its_rectangle_and_is_empty_out_of_sight() -> None:
    at = grid(32)
    rows, columns = at.window(-0.25, -0.25, 0.25, 0.25)
    assert rows == columns
    assert rows.start <= 8
    assert rows.stop >= 24
    rows, columns = at.window(2, -0.1, 3, 0.1)
    assert columns.start == columns.stop


def test_noise_repeats_without_a_seam() -> None:
    tile = noise_tile()
    assert tile.dtype == np.float32
    assert tile.mean() == pytest.approx(0.5, abs=0.05)
    assert 0 <= tile.min() < 0.25 < 0.75 < tile.max() <= 1
    step = np.abs(np.diff(tile, axis=0)).max()
    assert np.abs(tile[0] - tile[-1]).max() <= step
    where = np.array([[3, 1027, -1021]], np.float32)
    assert len(np.unique(noise(where, np.zeros_like(where)))) == 1


def test_another_shift_is_another_sheet_of_paper() -> None:
    at = grid(64)
    assert paper(at, (0, 0)).shape == (64, 64)
    assert np.abs(paper(at, (0, 0)) - paper(at, (40, 3))).mean() > 0.05
