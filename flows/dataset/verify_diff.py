"""What `sluice dataset verify` and `diff` print."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table

from sluice.infra.printable import printable
from sluice.infra.storage import Storage
from sluice.preprocess.compare.diff import Diff
from sluice.preprocess.compare.drift import Drift
from sluice.preprocess.verify.problems import Problem
from sluice.preprocess.version.cut import withdrawn_from
from sluice.preprocess.version.manifest import Version

SHOWN_KEYS = 3


def show_problems(version: Version, problems: Sequence[Problem]) -> str:
    """A line for each problem with its remedy below, or that the version is whole."""
    counts = version.manifest["counts"]
    if not problems:
        gone = withdrawn_from(version)
        return (
            f"{version.dataset} {version.id} is whole (records: {counts['records']}, shards: "
            f"{len(version.manifest['shards'])}): every tar is as it was committed, every field as promised."
            + (f" Images withdrawn from it since it was made: {len(gone)}." if gone else "")
        )
    return _listed(f"{version.dataset} {version.id} has", problems)


def show_found(place: Storage, keys: int, problems: Sequence[Problem]) -> str:
    """A line for each file that still holds one of so many keys, or that none does."""
    if not problems:
        return f"{place.uri}: no file holds or names any of the {keys} keys; every one was opened."
    return _listed(f"{place.uri}, searched for {keys} keys, has", problems)


def _listed(head: str, problems: Sequence[Problem]) -> str:
    many = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    lines = [line for own in problems for line in (own.path, f"  {own.what}", f"  To mend it, {own.remedy}.")]
    return "\n".join([f"{head} {many}:", *map(printable, lines)])


def show_diff(diff: Diff) -> Iterator[RenderableType]:
    """The parts of a report: records, causes, stages, drift."""
    yield f"{diff.a} -> {diff.b}: {diff.records[0]} -> {diff.records[1]} records; " + (
        f"{diff.same_shards} of {diff.shards} shards are the same"
    )
    yield from _settings(diff)
    for name, keys in (("added", diff.added), ("removed", diff.removed)):
        yield f"{len(keys)} {name}"
        yield from _by_cause(keys)
    yield f"{len(diff.changed)} changed"
    yield from (f"  {len(keys)} in {fields}: {_some(keys)}" for fields, keys in _by_fields(diff).items())
    yield from (f"  {count} by {cause}" for cause, count in diff.causes.items())
    if diff.drift:
        yield _drift_table(diff.drift)


def _settings(diff: Diff) -> Iterator[str]:
    yield from (f"stage {change}" for change in diff.stages)
    yield from (f"source: {knob}" for knob in diff.source)
    for what, fields in (("new", diff.new_fields), ("lost", diff.lost_fields)):
        if fields:
            yield f"{what} fields: {', '.join(fields)}"


def _by_cause(keys: Mapping[str, str]) -> Iterator[str]:
    causes: dict[str, list[str]] = defaultdict(list)
    for key, cause in keys.items():
        causes[cause].append(key)
    for cause, same in causes.items():
        yield f"  {len(same)} {cause}: {_some(same)}"


def _by_fields(diff: Diff) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key, fields in diff.changed.items():
        groups[", ".join(fields)].append(key)
    return groups


def _some(keys: Collection[str]) -> str:
    shown = list(keys)[:SHOWN_KEYS]
    return ", ".join([*shown, "..."] if len(keys) > len(shown) else shown)


def _drift_table(drifts: Sequence[Drift]) -> Table:
    """The scalars that moved most first; a value that stayed is written once."""
    table = Table(title="Drift: mean, quantiles, Kolmogorov-Smirnov's statistic (KS) and p", title_justify="left")
    table.add_column("scalar", no_wrap=True)
    for column in ("mean", "5%", "50%", "95%", "KS", "p"):
        table.add_column(column, justify="right")
    for drift in sorted(drifts, key=lambda d: -d.statistic):
        moved = [drift.mean, *zip(*drift.quantiles, strict=True)]
        cells = [_from_to(f"{before:.3g}", f"{after:.3g}") for before, after in moved]
        table.add_row(drift.scalar, *cells, f"{drift.statistic:.3f}", f"{drift.p_value:.2g}")
    return table


def _from_to(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"
