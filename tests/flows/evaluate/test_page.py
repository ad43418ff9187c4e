"""The page of results in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sluice.flows.evaluate.claims import Claim, Curve, Estimate, Example, Results
from sluice.flows.evaluate.page import page_of
from sluice.flows.evaluate.protocols.silence import SAYS
from sluice.inference.metrics.bootstrap import Interval
from sluice.preprocess.record import encode_png
from tests.browser import CONTRAST, LEGIBLE, SIZES, Browser, browser

ESTIMATES = [
    Estimate("edge F1", condition, method, "share", Interval(0.5, 0.25, 0.75), 32)
    for condition in ("canny", "pose")
    for method in ("base alone", "a method with a longer name than others have")
]
CURVES = [
    Curve("Energy: identity", "faces", method, "timesteps", [900, 500], [Interval(3, 2, 4), Interval(low, 0, 4)], 8)
    for method, low in (("FreeDoM", 2), ("Z-Magic", 1))
]
EXAMPLES = [
    Example("canny", "a <b>red</b> star", "among the first", {"base alone": "there", "another": "gone"}),
    Example("pose", "a figure", "among the first", {"base alone": "gone"}),
]
FOUND = Results(
    "silence", "Silent controls", {"net": "abc"}, {"steps": 2}, ESTIMATES, [Claim(SAYS, "Always.", {"canny": "holds"})],
    EXAMPLES, curves=CURVES,
)  # fmt: skip


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "there.png").write_bytes(encode_png(np.zeros((64, 64, 3), np.uint8)))
    (folder / "index.html").write_bytes(page_of([FOUND], folder))
    return folder / "index.html"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as open_tab:
        yield open_tab


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_is_legible_and_loads_nothing(tab: Browser, page: Path, size: str, dark: bool) -> None:
    tab.open(page, *SIZES[size], dark=dark)
    assert tab.value("document.scrollingElement.scrollWidth") <= SIZES[size][0]
    assert [url for url in tab.requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.complaints == []
    ratio, where = tab.value(CONTRAST)
    assert ratio >= LEGIBLE, where


def test_it_shows_verdicts_intervals_and_the_pictures_that_are_there(tab: Browser, page: Path) -> None:
    tab.open(page, *SIZES["desktop"])
    rows = tab.value("[...document.querySelectorAll('#claims tbody tr')].map(row => row.innerText)")
    assert len(rows) == 8
    assert "holds" in rows[0]
    assert all("not measured" in row for row in rows[1:])
    assert tab.value("document.querySelectorAll('.whiskers li').length") == 4
    assert tab.value("[...document.querySelectorAll('polyline.line1 title')].map(own => own.textContent)") == [
        "Z-Magic"
    ]
    assert tab.value("document.querySelector('polyline.line1').points.length") == 2
    assert tab.value("document.images.length") == 1
    assert "a <b>red</b> star" in tab.value("document.body.textContent")
