"""A page of what was measured: verdicts, figures with their intervals, and pictures that methods made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sluice.flows.evaluate.claims import Claim, Curve, Estimate, Example, Results
from sluice.flows.evaluate.eight import verdicts
from sluice.flows.evaluate.published import Published, beside
from sluice.infra.page.blocks import Block, Cell, Figure, Fold, Page, Section, Strip, Table, Text
from sluice.infra.page.charts import Charts, Line, Lines, Whisker, Whiskers
from sluice.infra.page.render import render
from sluice.preprocess.page.pictures import figure
from sluice.preprocess.record import Array, FieldError, decode_png

EIGHT = "The papers' claims, each by a rule that was written down before the run."
LEAD = (
    "Figures with 95% intervals (percentile bootstrap over cases, the jackknife for distances between sets); bars are "
    "the intervals, marks the estimates."
)


def page_of(found: Sequence[Results], pictures: Path) -> bytes:
    """Self-contained HTML; of `pictures`, which lie in a folder by their names, those that are there."""
    claims = [(Cell(says), Cell(verdict), Cell(protocol, code=True)) for protocol, says, verdict in verdicts(found)]
    sections = [
        Section("claims", "Eight claims", [Table(("claim", "verdict", "protocol"), claims)], EIGHT),
        *(Section(own.protocol, own.title, list(_blocks(own, pictures)), _settings(own)) for own in found),
    ]
    return render(Page("What methods do", "evaluation", [("protocols", str(len(found)))], sections))


def missing_of(found: Sequence[Results], pictures: Path) -> int:
    """How many pictures of examples do not lie in a folder, or are damaged: the page goes without."""
    names = {name for own in found for example in own.examples for name in example.pictures.values()}
    return sum(_picture(pictures / f"{name}.png") is None for name in names)


def _settings(of: Results) -> str:
    told = ", ".join(f"{name} {value}" for name, value in of.settings.items())
    code = f" Code: {of.code}." if of.code else ""
    return f"{told}.{code} {LEAD}"


def _blocks(of: Results, pictures: Path) -> Iterator[Block]:
    yield Table(("claim", "verdict", "rule"), [(Cell(c.says), Cell(c.verdict), Cell(c.rule)) for c in of.claims])
    yield from (Text(f"Not measured: {what}: {why}.") for what, why in of.left_out.items())
    yield from (_by_condition(claim) for claim in of.claims)
    figures = list(dict.fromkeys(own.figure for own in of.estimates))
    papers = beside(of.protocol, figures)
    for name in figures:
        yield _chart(name, [own for own in of.estimates if own.figure == name])
        yield from map(_published, papers.get(name, ()))
    for name in dict.fromkeys(own.figure for own in of.curves):
        yield _curves(name, [own for own in of.curves if own.figure == name])
    yield from map(_published, papers.get("", ()))
    yield from _examples(of.examples, pictures)


def _published(table: Published) -> Fold:
    rows = [tuple(map(Cell, row)) for row in table.cells()]
    return Fold(table.title, "published", [Table(("method", *table.columns), rows, frozenset(table.columns))])


def _by_condition(claim: Claim) -> Fold:
    rows = [(Cell(condition), Cell(verdict)) for condition, verdict in claim.verdicts.items()]
    return Fold(claim.says, str(len(rows)), [Table(("by condition", "verdict"), rows)])


def _chart(name: str, rows: Sequence[Estimate]) -> Charts:
    """A chart for each condition, all on one axis."""
    low, high = min(own.interval.low for own in rows), max(own.interval.high for own in rows)
    span = (high - low) or 1.0
    charts = [
        Whiskers(
            f"{condition}, n = {cases}",
            [_whisker(own, low, span) for own in rows if own.condition == condition],
            (f"{low:.3g}", f"{high:.3g}"),
        )
        for condition, cases in dict.fromkeys((own.condition, own.cases) for own in rows)
    ]
    unit = f" ({rows[0].unit})" if rows[0].unit else ""
    return Charts(charts, f"{name[:1].upper()}{name[1:]}{unit}")


def _curves(name: str, some: Sequence[Curve]) -> Charts:
    """A chart for each condition."""
    charts = []
    for condition, cases in dict.fromkeys((own.condition, own.cases) for own in some):
        own = [curve for curve in some if curve.condition == condition]
        values = [interval.estimate for curve in own for interval in curve.intervals]
        longest = max(own, key=lambda curve: len(curve.at)).at
        ends = longest[0], longest[-1]
        lines = [_line(curve, ends, (min(values), max(values))) for curve in own]
        charts.append(Lines(f"{condition}, n = {cases}", lines, (f"{ends[0]:g}", f"{ends[1]:g}")))
    return Charts(charts, f"{name[:1].upper()}{name[1:]}, along {some[0].along}")


def _line(of: Curve, ends: tuple[float, float], span: tuple[float, float]) -> Line:
    points = [
        ((at - ends[0]) / ((ends[1] - ends[0]) or 1), (own.estimate - span[0]) / ((span[1] - span[0]) or 1))
        for at, own in zip(of.at, of.intervals, strict=True)
    ]
    first, last = of.intervals[0], of.intervals[-1]
    return Line(of.method, points, f"{first.estimate:.3g} at first, {last.estimate:.3g} at last")


def _whisker(of: Estimate, low: float, span: float) -> Whisker:
    own = of.interval
    start, at, end = ((value - low) / span for value in (own.low, own.estimate, own.high))
    return Whisker(of.method, start, at, end, f"{own.estimate:.3g} ({own.low:.3g} to {own.high:.3g})")


def _examples(examples: Sequence[Example], pictures: Path) -> Iterator[Block]:
    """Under a fold for each condition, a strip for each case."""
    for condition in dict.fromkeys(own.condition for own in examples):
        own = [example for example in examples if example.condition == condition]
        strips = [
            Strip(list(_figures(example, pictures)), f"“{example.prompt}”, {example.why}", "small") for example in own
        ]
        if shown := [strip for strip in strips if strip.figures]:
            yield Fold(condition, f"{len(shown)} cases", shown)


def _figures(example: Example, pictures: Path) -> Iterator[Figure]:
    for method, name in example.pictures.items():
        if (shown := _picture(pictures / f"{name}.png")) is not None:
            yield figure(method, shown)


def _picture(path: Path) -> Array | None:
    try:
        return decode_png(path.read_bytes())
    except (OSError, FieldError):  # it is made again where it is measured again
        return None
