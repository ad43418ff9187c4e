import numpy as np

from sluice.preprocess.perception.edges import canny, gradient, inside
from sluice.preprocess.record import Array


def _square(contrast: int = 200) -> Array:
    image = np.full((64, 80, 3), 20, np.uint8)
    image[20:44, 30:60] = 20 + contrast
    return image


def test_canny_draws_the_outline_of_a_square_and_nothing_else() -> None:
    edges = canny(_square())
    assert edges.dtype == np.uint8
    assert set(np.unique(edges)) == {0, 255}
    rows, columns = np.nonzero(edges)
    assert {rows.min(), rows.max()} <= {19, 20, 43, 44}
    assert {columns.min(), columns.max()} <= {29, 30, 59, 60}
    assert not edges[24:40, 34:56].any()


def test_raising_the_thresholds_loses_the_faint_square() -> None:
    assert canny(_square(40), 50, 100).any()
    assert not canny(_square(40), 300, 600).any()


def test_an_edge_in_one_channel_alone_is_seen() -> None:
    image = np.full((32, 32, 3), 100, np.uint8)
    image[:, 16:, 2] = 250
    assert canny(image).any()


def test_a_blur_keeps_the_square_and_drops_the_noise() -> None:
    noisy = np.clip(_square() + np.random.default_rng(0).normal(0, 25, (64, 80, 3)), 0, 255).astype(np.uint8)
    assert canny(noisy)[:14].any()
    assert not canny(noisy, blur=2.5)[:14].any()
    assert canny(noisy, blur=2.5)[20:44].any()


def test_inside_keeps_an_outline_just_outside_a_tight_mask() -> None:
    edges = canny(_square())
    tight = np.zeros((64, 80), np.uint8)
    tight[22:42, 32:58] = 255
    assert not inside(edges, tight, 0).any()
    np.testing.assert_array_equal(inside(edges, tight, 4), edges)


def test_inside_is_silent_in_the_background() -> None:
    left = np.zeros((64, 80), np.uint8)
    left[:, :40] = 255
    kept = inside(canny(_square()), left, 0)
    assert kept[:, :40].any()
    assert not kept[:, 40:].any()


def test_the_masks_own_border_is_no_edge() -> None:
    """The reason for masking the edges and not the image: a mask across flat colour leaves nothing."""
    mask = np.zeros((64, 80), np.uint8)
    mask[2:15, 2:78] = 255
    image = _square()
    assert canny(np.where(mask[..., None] > 0, image, np.uint8(255))).any()
    assert not inside(canny(image), mask, 2).any()


def test_gradient_grows_with_contrast_and_leaves_noise_dark() -> None:
    strong, faint = gradient(_square(200)), gradient(_square(30))
    assert strong.shape == (64, 80)
    assert strong.max() > 250
    assert 0 < faint.max() < strong.max()
    flat = np.full((64, 64, 3), 128.0) + np.random.default_rng(0).normal(0, 4, (64, 64, 3))
    assert gradient(flat.astype(np.uint8)).max() < 40
