"""The drift report as a page: the verdict first, then counts, what was turned, and what moved, the worst on top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from sluice.infra.page.blocks import Block, Cell, Notice, Page, Section, Strip, Table, Text
from sluice.infra.page.charts import Charts, Line, Lines
from sluice.infra.page.text import count_text, time_text
from sluice.preprocess.compare.examples import Examples
from sluice.preprocess.compare.movement import Movement, Spread
from sluice.preprocess.compare.report import Report
from sluice.preprocess.page.distributions import TITLES

CHARTS = 12
SHOWN_VALUES = 12


def drift_page(report: Report, shown: Examples, threshold: float, when: datetime) -> Page:
    """The page of a report; `shown` are records newly at the ends of what moved most."""
    sections = [
        Section("counts", "Images and records", [_counts(report), *_changes(report)]),
        Section("turned", "What was turned", list(_turned(report))),
        Section("moved", "What moved", list(_moved(report, threshold)), _how(report)),
        Section("shares", "Shares", list(_shares(report))),
        Section("ends", "Newly at the ends", _ends(shown.strips), ENDS),
    ]
    return Page(
        title=report.dataset,
        about=f"drift of version {report.after}",
        facts=[("version", report.after), ("before it", report.before or "none"), ("page made", time_text(when))],
        sections=[section for section in sections if section.blocks],
        notices=[_verdict(report, threshold), *(Notice("could not be read", text, "bad") for text in shown.problems)],
    )


ENDS = "Records that came or were made again, outside of where 90% of the records lay before."


def _verdict(report: Report, threshold: float) -> Notice:
    drifted = bool(report.over(threshold))
    return Notice("drifted" if drifted else "steady", report.verdict(threshold), "bad" if drifted else "good")


def _counts(report: Report) -> Table:
    rows = []
    for name, (before, after) in report.counts.items():
        old, new = (
            count / max(images, 1) for count, images in zip((before, after), report.counts["images"], strict=True)
        )
        cells = [name, count_text(before), count_text(after), f"{after - before:+,}"]
        rows.append([*map(Cell, cells), Cell(_from_to(f"{old:.1%}", f"{new:.1%}"), bar=new)])
    columns = ("", "before", "now", "change", "share of the images")
    return Table(columns, rows, frozenset(columns[1:4]))


def _changes(report: Report) -> Iterator[Block]:
    before, after = report.counts["records"]
    rows = [
        [Cell(name), Cell(count_text(count)), Cell(f"{count / max(before if name == 'went' else after, 1):.1%}")]
        for name, count in report.changes.items()
    ]
    if rows:
        yield Table(("records that", "how many", "share of the records"), rows, frozenset({"how many"}))
    if report.withdrawn:
        yield Text(f"Images withdrawn from the version before since it was made: {count_text(report.withdrawn)}.")


def _turned(report: Report) -> Iterator[Block]:
    rows = [[Cell("stage"), Cell(str(change))] for change in report.stages]
    rows += [[Cell("source"), Cell(str(knob))] for knob in report.source]
    rows += [[Cell("licence of weights"), Cell(str(knob))] for knob in report.licences]
    rows += [[Cell("new field"), Cell(name, code=True)] for name in report.fields[0]]
    rows += [[Cell("lost field"), Cell(name, code=True)] for name in report.fields[1]]
    if rows:
        yield Table(("what", "from what to what"), rows)
    elif report.before:
        yield Text("No knob, no weights and no setting of the source changed.")


def _how(report: Report) -> str:
    read, there = report.sampled
    of = "all shards" if read == there else f"{count_text(read)} of {count_text(there)} shards"
    return (
        f"Of {of}. The population stability index is 0 where a distribution stayed; `chance` is what two such samples "
        "would stay below 999 times of 1,000, and counts for nothing. `what came` are the new records alone, "
        "against all before."
    )


def _moved(report: Report, threshold: float) -> Iterator[Block]:
    if report.movements:
        yield _index_table(report.movements, threshold)
    moved = [m for m in report.movements if m.spread and m.index > 0][:CHARTS]
    if moved:
        yield Charts([_lines(m.name, m.spread) for m in moved if m.spread], "Share of the records at or below a value")


def _index_table(movements: Sequence[Movement], threshold: float) -> Table:
    most = max([m.index for m in movements] + [threshold])
    columns = ("quantity", "index", "chance", "what came", "mean", "5%", "50%", "95%")
    rows = [
        [
            Cell(_title(m.name), notes=["drifted"] if m.over(threshold) else ()),
            Cell(f"{m.index:.3f}", bar=m.index / most if most else 0.0),
            Cell(f"{m.chance:.3f}"),
            Cell(_came(m)),
            *(
                Cell(_from_to(f"{old:.3g}", f"{new:.3g}"))
                for old, new in ((m.spread.mean, *m.spread.quantiles) if m.spread else ())
            ),
            *(Cell("–") for _ in range(0 if m.spread else 4)),
        ]
        for m in movements
    ]
    return Table(columns, rows, frozenset(columns[2:]))


def _came(movement: Movement) -> str:
    if movement.came is None:
        return "–"
    index, by_chance = movement.came
    return f"{index:.3f}" + (" (chance)" if 0 < index <= by_chance else "")


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} → {after}"


def _title(name: str) -> str:
    return TITLES.get(name, name)


def _lines(name: str, spread: Spread) -> Lines:
    low, high = spread.cuts[0], max(spread.cuts[-1], spread.cuts[-2])
    wide = (high - low) or 1.0
    lines = []
    for told, shares in zip(("before", "now"), spread.shares, strict=True):
        points = [((cut - low) / wide, share) for cut, share in zip(spread.cuts, shares, strict=True)]
        lines.append(Line(told, points, ""))
    return Lines(_title(name), lines, (f"{low:.3g}", f"{high:.3g}"))


def _shares(report: Report) -> Iterator[Block]:
    """Of texts with few values, and of what left images out: the share of each before and now."""
    for movement in report.movements:
        if movement.counts and len(movement.counts) > 1:
            yield _share_table(movement)


def _share_table(movement: Movement) -> Table:
    before, after = movement.records
    told = sorted((movement.counts or {}).items(), key=lambda item: (-max(item[1]), item[0]))
    rows = [
        [
            Cell(value or "(none)"),
            Cell(f"{old / before:.2%}"),
            Cell(f"{new / after:.2%}", bar=new / after),
            Cell(f"{new / after - old / before:+.2%}"),
        ]
        for value, (old, new) in told[:SHOWN_VALUES]
    ]
    return Table((_title(movement.name), "before", "now", "change"), rows, frozenset({"before", "change"}))


def _ends(strips: Sequence[Strip]) -> list[Block]:
    return [strip for strip in strips if strip.figures]
