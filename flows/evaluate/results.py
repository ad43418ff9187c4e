"""docs/results.md from what protocols found: nothing in it is typed by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pydantic import TypeAdapter

from sluice.flows.compose.run.watched import evenly
from sluice.flows.evaluate.claims import Claim, Curve, Estimate, Results
from sluice.flows.evaluate.eight import verdicts
from sluice.flows.evaluate.names import NAMES
from sluice.flows.evaluate.published import Published, beside
from sluice.infra.settings import ConfigError
from sluice.infra.whole import write_whole

HEAD = """# Results

What the papers claim, measured here: figures with 95% intervals (percentile bootstrap over cases, the jackknife for
distances between sets), verdicts by rules that were written down before the run. Written by `sluice evaluate report`;
nothing on this page is typed by hand.
"""
KEPT = TypeAdapter(Results)
FOREIGN = (
    "holds no results of this version of `sluice evaluate`: move it elsewhere and measure again, or name another folder"
)
DATA = "data"
"""Among the settings, on which data, where it is not tabletop's scenes."""
COLUMNS = 8
"""Of a table along something."""


def keep(results: Results, path: Path) -> None:
    """Write what a protocol found, as JSON."""
    write_whole(path, json.dumps(results.to_json(), indent=1) + "\n")


def read(path: Path) -> Results:
    """What was kept. Raises ConfigError for a file that does not say just what `keep` writes."""
    try:
        told = json.loads(path.read_text(), parse_constant=_figure, parse_float=_figure)
        found = KEPT.validate_python(told)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} {FOREIGN}") from error
    if found.to_json() != told:
        raise ConfigError(f"{path} {FOREIGN}")
    return found


def _figure(told: str) -> float:
    value = float(told)
    if not math.isfinite(value):
        raise ValueError(f"{told} is no figure")
    return value


def read_all(folder: Path) -> list[Results]:
    """Of every protocol that a folder has results of. Raises ConfigError where it has none."""
    found = list(map(read, _files(folder)))
    if not found:
        raise ConfigError(f"{folder} holds no results: `sluice evaluate --suite papers` measures some")
    return found


def _files(folder: Path) -> list[Path]:
    """By the names of protocols: other files may lie beside them."""
    return sorted(file for file in folder.glob("*.json") if file.stem in NAMES)


def refuse_others(folder: Path, data: str | None, wanted: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises ConfigError where figures would go beside those on other data (None: tabletop's scenes), or over others.

    `wanted` are the settings of protocols by name: those of one that is there must be the same, or it would be lost.
    """
    for file in _files(folder):
        there = read(file)
        if there.settings.get(DATA) != data:
            was, now = (on or "tabletop's scenes" for on in (there.settings.get(DATA), data))
            raise ConfigError(
                f"{file} was measured on {was}, and this is {now}: figures of both do not go on one page; name another "
                "folder with `--out`"
            )
        asked = wanted.get(there.protocol, there.settings)
        if other := [name for name in {**there.settings, **asked} if there.settings.get(name) != asked.get(name)]:
            was, now = (", ".join(f"{name} {own.get(name)}" for name in other) for own in (there.settings, asked))
            raise ConfigError(
                f"{file} was measured with {was}, and this has {now}: its figures would be lost; name another folder "
                "with `--out`, or delete it"
            )


def of_other_networks(folder: Path, made_of: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """A line for each protocol whose figures there are of networks that are others now, by their digests."""
    for file in _files(folder):
        there = read(file)
        now = made_of.get(there.protocol, {})
        if changed := [name for name, digest in there.made_of.items() if now.get(name, digest) != digest]:
            yield f"{file} is of other networks than are there now ({', '.join(changed)}): new figures replace it"


def make_ready(folder: Path, what: str, option: str) -> None:
    """Raises ConfigError for a folder that something cannot be kept in: figures and pictures take long to come."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ConfigError(
            f"{what} cannot be kept in {folder} ({error.strerror}): name with `{option}` one that can be written to"
        ) from error


def page(found: Sequence[Results]) -> str:
    """The eight claims, and every protocol's claims and figures, in markdown."""
    return "\n".join([HEAD, *_eight(found), *(line for results in found for line in _protocol(results))]) + "\n"


def _eight(found: Sequence[Results]) -> Iterator[str]:
    yield from ("| | the eight claims | verdict | protocol |", "|---|---|---|---|")
    for number, (protocol, says, verdict) in enumerate(verdicts(found), 1):
        yield f"| {number} | {says} | **{verdict}** | `{protocol}` |"
    yield ""


def _protocol(results: Results) -> Iterator[str]:
    yield f"## {results.title}\n"
    settings = ", ".join(f"{name} {value}" for name, value in results.settings.items())
    networks = ", ".join(f"`{name}` {digest}" for name, digest in results.made_of.items())
    yield f"{settings}. Networks: {networks}.{f' Code: {results.code}.' if results.code else ''}\n"
    yield from ("| claim | verdict | by condition |", "|---|---|---|", *map(_claim, results.claims), "")
    yield from (f"Rule of “{claim.says}” {claim.rule}\n" for claim in results.claims)
    yield from (f"Not measured: {what}: {why}.\n" for what, why in results.left_out.items())
    figures = list(dict.fromkeys(estimate.figure for estimate in results.estimates))
    papers = beside(results.protocol, figures)
    for figure in figures:
        yield from _table(figure, [own for own in results.estimates if own.figure == figure])
        yield from _published(papers.get(figure, ()))
    for figure in dict.fromkeys(curve.figure for curve in results.curves):
        yield from _along(figure, [own for own in results.curves if own.figure == figure])
    yield from _published(papers.get("", ()))


def _published(tables: Sequence[Published]) -> Iterator[str]:
    for table in tables:
        yield from (f"Published, {table.title}:\n", f"| | {' | '.join(table.columns)} |")
        yield from ("|---|" + "---|" * len(table.columns), *(f"| {' | '.join(row)} |" for row in table.cells()), "")


def _claim(claim: Claim) -> str:
    conditions = ", ".join(f"{condition}: {verdict}" for condition, verdict in claim.verdicts.items())
    return f"| {claim.says} | **{claim.verdict}** | {conditions} |"


def _table(figure: str, rows: Sequence[Estimate]) -> Iterator[str]:
    """A row for each method, a column for each condition."""
    cases = {row.condition: row.cases for row in rows}
    unit = f" ({rows[0].unit})" if rows[0].unit else ""
    yield f"### {figure[:1].upper()}{figure[1:]}{unit}\n"
    yield f"| | {' | '.join(f'{condition}, n = {count}' for condition, count in cases.items())} |"
    yield "|---|" + "---|" * len(cases)
    for method in dict.fromkeys(row.method for row in rows):
        cells = [_cell([row for row in rows if (row.method, row.condition) == (method, own)]) for own in cases]
        yield f"| {method} | {' | '.join(cells)} |"
    yield ""


def _along(figure: str, curves: Sequence[Curve]) -> Iterator[str]:
    """A row for each method under each condition, columns along it."""
    shown = evenly(list(dict.fromkeys(at for own in curves for at in own.at)), COLUMNS)
    yield f"### {figure[:1].upper()}{figure[1:]}, along {curves[0].along}\n"
    yield f"| | {' | '.join(f'{at:g}' for at in shown)} |"
    yield "|---|" + "---|" * len(shown)
    for own in curves:
        found = dict(zip(own.at, own.intervals, strict=True))
        cells = [f"{found[at].estimate:.3g}" if at in found else "" for at in shown]
        yield f"| {own.condition}: {own.method}, n = {own.cases} | {' | '.join(cells)} |"
    yield ""


def _cell(found: Sequence[Estimate]) -> str:
    if not found:
        return ""
    interval = found[0].interval
    return f"{interval.estimate:.3g} ({interval.low:.3g} to {interval.high:.3g})"
