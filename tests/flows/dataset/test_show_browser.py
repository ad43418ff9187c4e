"""The pages in a real browser, at phone and desktop width, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.flows.dataset.show import show_dataset
from sluice.infra.local import LocalStorage
from sluice.preprocess.planning.config import DatasetConfig
from tests.browser import CONTRAST, LEGIBLE, SIZES, Browser, browser
from tests.made_version import key_of, make_version

EVIL = "<script>document.title = 'owned'</script><img src=x onerror=\"document.title='owned'\"> & a wall"
LEFT_OUT = [("image", "failed", "ImageError: <script>document.title = 'owned'</script> " + "w" * 300)] * 3


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A version's page, and the page of its record whose caption attacks."""
    out = tmp_path_factory.mktemp("out")
    captions = [EVIL, *("a disc " * place for place in range(1, 30))]
    make_version(LocalStorage(out), 30, caption=captions.__getitem__, left_out=LEFT_OUT)
    values = {"name": "made", "source": {"kind": "folder", "uri": "photos"}, "out": str(out), "stages": {}}
    config = DatasetConfig.model_validate(values)
    first = min(key_of(number) for number in range(30))
    return {
        "version": show_dataset(config, "latest", None, None),
        "record": show_dataset(config, "latest", first, None),
    }


@pytest.fixture(params=("version", "record"))
def page(request: pytest.FixtureRequest, pages: dict[str, Path]) -> Path:
    return pages[request.param]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_fits_is_legible_and_loads_nothing(tab: Browser, page: Path, size: str, dark: bool) -> None:
    tab.open(page, *SIZES[size], dark=dark)
    assert tab.value("document.scrollingElement.scrollWidth") <= SIZES[size][0]
    assert tab.value("document.images.length") > 15
    assert tab.value("[...document.images].every(image => image.naturalWidth > 0)")
    assert [url for url in tab.requests if not url.startswith("data:")] == [page.as_uri()]
    assert tab.complaints == []
    ratio, where = tab.value(CONTRAST)
    assert ratio >= LEGIBLE, where


def test_a_caption_is_shown_as_the_text_it_is(tab: Browser, page: Path) -> None:
    tab.open(page, *SIZES["desktop"])
    assert EVIL in tab.value("document.body.innerText")
    assert tab.value("document.title") != "owned"
    assert tab.value("document.scripts.length") == 0


def test_marks_are_seen_without_scrolling_on_a_phone(tab: Browser, page: Path) -> None:
    tab.open(page, *SIZES["phone"])
    bottoms = tab.value("[...document.querySelectorAll('.notice')].map(n => n.getBoundingClientRect().bottom)")
    assert len(bottoms) == 3
    assert max(bottoms) < SIZES["phone"][1]


def test_the_dark_scheme_is_dark(tab: Browser, page: Path) -> None:
    grounds = []
    for dark in (False, True):
        tab.open(page, *SIZES["desktop"], dark=dark)
        grounds.append(tab.value("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))
    assert min(grounds[0]) > 200
    assert max(grounds[1]) < 60


def test_a_link_leads_to_its_record(tab: Browser, pages: dict[str, Path]) -> None:
    tab.open(pages["version"], *SIZES["desktop"])
    tab.value("document.querySelectorAll('.card h3 a')[20].click()")
    top = tab.value("document.querySelector('.card:target').getBoundingClientRect().top")
    assert 0 <= top < SIZES["desktop"][1]


def test_a_tile_is_as_tall_as_the_pictures_beside_it(tab: Browser, pages: dict[str, Path]) -> None:
    tab.open(pages["version"], *SIZES["desktop"])
    edges = tab.value(
        "[...document.querySelector('.card .strip').querySelectorAll('img, .tile')]"
        ".map(e => e.getBoundingClientRect()).map(box => [Math.round(box.top), Math.round(box.bottom)])"
    )
    rows = {top: [bottom for t, bottom in edges if t == top] for top, _ in edges}
    assert any(len(row) > 1 for row in rows.values())
    assert all(max(row) - min(row) <= 1 for row in rows.values()), rows
