from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from sluice.infra.page.blocks import (
    Bin,
    Block,
    Card,
    Cards,
    Cell,
    Code,
    Curve,
    Curves,
    Figure,
    Flip,
    Fold,
    Histogram,
    Histograms,
    Notice,
    Page,
    Section,
    Strip,
    Sum,
    Table,
    Term,
    Text,
    Tree,
)
from sluice.infra.page.charts import Charts, HeatMap, Line, Lines
from sluice.infra.page.render import render
from sluice.infra.page.text import bytes_text, seconds_text

EVIL = "<script>alert('x')</script>\" onload=\"y\" ' & `<b>`"


def page_of(text: str) -> Page:
    """A page with `text` in every place that takes text."""
    figure = Figure(text, text=text, note=text)
    picture = Figure(text, "data:image/png;base64,AAAA", 1, 1, note=text)
    blocks: list[Block] = [
        Sum(Term(text, 5), [Term(text, 5), Term(text, 0, "bad")]),
        Text(text),
        Code(text),
        Table((text, "n"), [[Cell(text, notes=[text]), Cell(text, code=True, full=text, bar=0.5)]], frozenset({"n"})),
        Fold(text, text, [Text(text)], "bad"),
        Histograms([Histogram(text, [Bin(3, text), Bin(0, text)], text, text, 0.5, text)]),
        Curves([Curve(text, [(0, 0), (1, 0.5)], (text, text), (text, text), text)]),
        Charts(
            [
                Lines(text, [Line(text, [(0, 0), (1, 0.5)], text)] * 2, (text, text), text),
                HeatMap(text, [text], [text, text], [[0.5, 1]], 1, text),
                HeatMap(text, [text], [text], [[0]], 0),
            ],
            text,
        ),
        Tree(text, text, [Tree(text, "", [Tree(text, text)])]),
        Flip(text, text, [figure, picture]),
        Strip([figure, picture], text),
        Cards([Card(text, [text], text, [Strip([figure, picture], text)]), Card("b", [], "", [])]),
    ]
    return Page(text, text, [(text, text)], [Section(text, text, blocks, text)], [Notice(text, text)])


class Read(HTMLParser):
    """Every tag and attribute of a page, and whether the tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag not in ("meta", "img", "line"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_whatever_a_text_says_it_is_shown_as_text() -> None:
    evil, harmless = Read(render(page_of(EVIL)).decode()), Read(render(page_of("harmless `b`")).decode())
    assert [tag for tag in evil.tags if tag != "code"] == [tag for tag in harmless.tags if tag != "code"]
    assert "script" not in evil.tags
    assert evil.attributes == harmless.attributes
    assert not evil.open


def test_the_page_refers_to_nothing_outside_itself() -> None:
    html = render(page_of("https://example.org/a.png")).decode()
    assert all(link.startswith(("#", "data:")) for link in Read(html).links)
    assert not re.search(r"url\(|@import", html)
    assert "default-src 'none'" in html


def test_backticks_are_code_and_nothing_else_is() -> None:
    html = render(Page("t", "a", [], [Section("s", "s", [Text("run `a < b` or a ` alone")])])).decode()
    assert "<p>run <code>a &lt; b</code> or a ` alone</p>" in html


def test_a_text_that_utf8_cannot_hold_is_still_written() -> None:
    assert rb"caf\udce9.jpg" in render(page_of("caf\udce9.jpg"))


def test_an_empty_body_says_so() -> None:
    assert b"no caption" in render(page_of("x"))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (915456, "915 kB"), (999_800, "1 MB"), (1.5e9, "1.5 GB"), (2e15, "2000 TB")],
)
def test_bytes_in_words(size: float, text: str) -> None:
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.193, "0.19 s"), (6.887, "6.89 s"), (59.99, "1 min 0 s"), (725, "12 min 5 s"), (12000, "3 h 20 min")],
)
def test_durations_in_words(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
