"""The sheets that the documentation shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sluice.preprocess.tabletop import LAWS, draw_scene, render
from sluice.preprocess.tabletop.sheet import COLUMNS, GAP, GUIDE_SEED, contact_sheet, guide_sheet, tile, truths


def test_a_contact_sheet_holds_the_first_scenes_row_by_row() -> None:
    sheet = contact_sheet(seed=3, rows=2, columns=3, size=40)
    assert sheet.shape == (2 * (40 + GAP) + GAP, 3 * (40 + GAP) + GAP, 3)
    top = 40 + 2 * GAP
    np.testing.assert_array_equal(sheet[top : top + 40, GAP : GAP + 40], render(draw_scene(3, 3), 40).image)
    assert (sheet[:, :GAP] == 255).all()


def test_an_unfinished_row_stays_white() -> None:
    page = tile([np.zeros((8, 8, 3), np.uint8)] * 3, columns=2, gap=1)
    assert page.shape == (19, 19, 3)
    assert (page[10:18, 10:18] == 255).all()
    assert (page[10:18, 1:9] == 0).all()


def test_the_guides_sheet_ends_with_the_truths_of_its_scenes() -> None:
    sheet = guide_sheet(size=24)
    assert sheet.shape == (7 * (24 + GAP) + GAP, COLUMNS * (24 + GAP) + GAP, 3)
    last = sheet[-GAP - 24 : -GAP, -GAP - 24 : -GAP]
    scene = draw_scene(GUIDE_SEED, 3)
    nearest = scene.nearest()
    assert nearest is not None
    np.testing.assert_array_equal(last, render(scene.without(nearest), 24).image)


def test_an_empty_table_is_its_own_background() -> None:
    scene = draw_scene(0, 0, replace(LAWS["tabletop"], objects=(0, 0), figure=0, plate=0))
    picture, depth, labels, behind = truths(scene, 32)
    np.testing.assert_array_equal(picture, behind)
    assert (depth.min(), depth.max()) == (0, 255)
    assert len(np.unique(labels.reshape(-1, 3), axis=0)) == 2
