"""`drift`: how far a version drifted from the one before, as a page, a JSON and a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console, RenderableType
from rich.table import Table

from sluice.flows.dataset.show import write_page
from sluice.infra.storage import Storage, storage
from sluice.preprocess.compare.examples import examples
from sluice.preprocess.compare.movement import Movement
from sluice.preprocess.compare.page import drift_page
from sluice.preprocess.compare.report import Report, drift_report
from sluice.preprocess.compare.stability import DRIFTED
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.alias import version_before
from sluice.preprocess.version.manifest import Version, read_version

SHOWN = 6


def run_drift(
    config: DatasetConfig,
    version: str,
    against: str | None,
    fail_over: float | None,
    page_path: Path | None,
    console: Console,
    as_json: bool,
) -> bool:
    """Report a version against the one before, or `against`; whether a stability index is over `fail_over`.

    `drift.html` and `drift.json` lie beside the manifest then. Raises UnknownVersion, ShardError, StorageError.
    """
    place = storage(config.out)
    after = read_version(place, config.name, version)
    before = version_before(place, after) if against is None else read_version(place, config.name, against)
    report = drift_report(place, before, after)
    threshold = DRIFTED if fail_over is None else fail_over
    said = json.dumps(report.as_dict(threshold), indent=1)
    place.write(f"{after.prefix}/drift.json", said.encode())
    page = _write(place, after, report, threshold, page_path)
    for part in [said] if as_json else [*told(report), str(page), report.verdict(threshold)]:
        console.print(part, markup=False, highlight=False)
    return fail_over is not None and bool(report.over(fail_over))


def _write(place: Storage, after: Version, report: Report, threshold: float, page_path: Path | None) -> Path:
    shown = examples(place, after, report.movements, report.tails)
    page = drift_page(report, shown, threshold, datetime.now().astimezone())
    return write_page(page, place, f"{after.prefix}/drift.html", page_path)


def told(report: Report) -> Iterator[RenderableType]:
    """The report in a few lines: counts, what was turned, what moved most."""
    counts = ", ".join(f"{name} {_from_to(*pair)}" for name, pair in report.counts.items())
    yield f"{report.dataset} {report.before or '(nothing)'} -> {report.after}: {counts}"
    changes = [f"{count} {name}" for name, count in report.changes.items() if count]
    if report.withdrawn:
        changes.append(f"{report.withdrawn} withdrawn from the version before")
    if changes:
        yield f"records: {', '.join(changes)}"
    yield from (f"stage {change}" for change in report.stages)
    yield from (f"source: {knob}" for knob in report.source)
    yield from (f"licence of weights: {knob}" for knob in report.licences)
    if worst := [movement for movement in report.movements if movement.index][:SHOWN]:
        yield _table(worst)


def _table(worst: Sequence[Movement]) -> Table:
    table = Table(title="Population stability index (0: as before)", title_justify="left")
    table.add_column("quantity", no_wrap=True)
    for column in ("index", "chance", "what came", "mean", "50%"):
        table.add_column(column, justify="right")
    for moved in worst:
        came = f"{moved.came[0]:.3f}" if moved.came else ""
        pairs = (moved.spread.mean, moved.spread.quantiles[1]) if moved.spread else ()
        numbers = [_from_to(f"{old:.3g}", f"{new:.3g}") for old, new in pairs]
        table.add_row(moved.name, f"{moved.index:.3f}", f"{moved.chance:.3f}", came, *numbers)
    return table


def _from_to(before: object, after: object) -> str:
    return f"{after}" if before == after else f"{before} -> {after}"
