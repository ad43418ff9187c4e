"""The compose flow: what is left to make, in this process or as a Prefect flow over Ray's actors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from sluice.flows.compose.page.page import PAGE, page_now, write_page
from sluice.flows.compose.run.batches import batches_of
from sluice.flows.compose.run.pictures import Asked, MadeOf, pictures_of
from sluice.flows.compose.run.runs import KIND, Here, Run, Workers, runs
from sluice.flows.compose.run.said import Said
from sluice.flows.compose.run.tables import Row, ledger, rows_of, told
from sluice.flows.compose.run.work import QUARANTINE, ComposeWork, made_files, quarantined
from sluice.flows.compose.tree.job import Job
from sluice.flows.observe.page import LivePage
from sluice.infra.errors import SluiceError
from sluice.infra.execution.unit import Unit
from sluice.infra.settings import ConfigError
from sluice.infra.storage import MissingFile, Storage, storage

MOST_WRONG = 0.05
"""Of a table's rows: more say that it is the table that is wrong."""
SHOWN = 10
ROW = "row-"


class ChangedSince(SluiceError):
    """What a picture was made of is not what it was."""


@dataclass(frozen=True)
class Composed:
    """The names of pictures, and of those that could not be made; of a table, the rows that are wrong."""

    made: Sequence[str]
    quarantined: Sequence[str]
    wrong: Sequence[Row] = ()


def compose(
    job: Job, folder: Path, out: str | Path, console: Console, workers: Workers | None = None, page: bool = False
) -> Composed:
    """Make the pictures of a job, with conditions in `folder`, that `out` lacks; what was quarantined is tried again.

    With a `page`, the first batch is watched, and `index.html` in `out` shows what came of it all. Raises ConfigError,
    and what stops a run.
    """
    asked, place = list(pictures_of(job, MadeOf(folder))), storage(out)
    with runs(workers) as run:
        composed = compose_all(asked, folder, place, console, run, watched=page)
    if page:
        write_page(place, asked)
    return composed


def compose_all(
    asked: Sequence[Asked],
    folder: Path,
    out: Storage,
    console: Console,
    run: Run,
    size: int | None = None,
    watched: bool = False,
    kind: str = KIND,
) -> Composed:
    """The same of pictures of any jobs, by a `run`; of equal ones, one. `size` at once, or as many as each job says.

    Where the run is `watched`, it is noted how the first pictures of its first batch come about. They are counted as
    the `kind`'s.
    """
    asked = list({own.name: own for own in asked}.values())
    there = {entry.path for entry in out.list() if entry.size}
    kept = _forgotten(there, asked, out)
    left = [own for own in asked if not there.issuperset(made_files(own)) and own.name not in kept]
    if batches := batches_of(left, size):
        batches[0] = replace(batches[0], watched=watched)
        units = [Unit(f"{kind}/{batch.asked[0].name}", kind, batch) for batch in batches]
        with LivePage(out, PAGE, lambda: page_now(out, asked)) if watched else nullcontext():
            run(ComposeWork(folder, out), units, Said(console, len(left)))
        there = {entry.path for entry in out.list()}
    bad = quarantined(there, asked)
    return Composed([own.name for own in asked if own.name not in bad], list(bad))


def compose_table(
    table: Path,
    job: Path,
    settings: Sequence[str],
    out: str | Path,
    console: Console,
    workers: Workers | None = None,
    page: bool = False,
) -> Composed:
    """The pictures of every row of a table over the job in a file, as one run; `rows.csv` says which are whose.

    Rows that are wrong are named before anything loads and go to quarantine. Raises ConfigError for more than a few,
    and as `compose`.
    """
    place = storage(out)
    rows = list(rows_of(table, job, settings, MadeOf(job.parent)))
    wrong = [row for row in rows if row.wrong]
    lines = "\n".join(row.wrong or "" for row in wrong[:SHOWN])
    if len(wrong) > MOST_WRONG * len(rows):
        raise ConfigError(f"{len(wrong)} of {len(rows)} rows are wrong, and nothing was begun:\n{lines}")
    if wrong:
        console.print(f"{len(wrong)} of {len(rows)} rows are wrong and left out:\n{lines}", style="yellow")
    place.delete(entry.path for entry in place.list(f"{QUARANTINE}/{ROW}"))  # a run before may have known others
    for row in wrong:
        place.write(f"{QUARANTINE}/{ROW}{row.number}.json", told(row))
    asked = [own for row in rows for own in row.asked]
    with runs(workers) as run:
        composed = compose_all(asked, job.parent, place, console, run, watched=page)
    place.write("rows.csv", ledger(rows, set(composed.quarantined)))
    if page:
        write_page(place, asked, wrong)
    return replace(composed, wrong=wrong)


def again(picture: str | Path, out: str | Path, console: Console) -> str:
    """Make a picture once more from the record beside it; where it is. Raises ConfigError, ChangedSince."""
    job, folder, made_of, size = _recorded(str(picture))
    (asked,) = pictures_of(job, MadeOf(folder))
    changed = [name for name, digest in made_of.items() if asked.record["made_of"].get(name) != digest]
    if changed:
        raise ChangedSince(f"{picture} was made of other files than are there now: {', '.join(changed)}")
    if not compose_all([asked], folder, storage(out), console, Here(), size).made:
        raise ConfigError(f"{picture} was not made again: {out}/{QUARANTINE}/{asked.name}.json says why")
    return f"{out}/{asked.name}.png"


def _recorded(picture: str) -> tuple[Job, Path, dict[str, str], int | None]:
    """The job of a picture, where its images are, the digests of what it was made of, the size of its batch."""
    place, _, name = picture.rpartition("/")
    file = f"{name.rpartition('.')[0]}.json"
    try:
        record = json.loads(storage(place or ".").read(file))
        return Job.model_validate(record["job"]), Path(record["folder"]), dict(record["made_of"]), record.get("batch")
    except MissingFile as error:
        raise ConfigError(f"{picture} has no {file} beside it, which says how it was made") from error
    except (ValueError, TypeError, KeyError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(
            f"{place or '.'}/{file} is not a picture's record as it was written ({what}): compose its job anew"
        ) from error


def _forgotten(there: set[str], asked: Sequence[Asked], out: Storage) -> set[str]:
    """Take what may be made now out of quarantine; the names that stay are unsafe, and would be again."""
    before = quarantined(there, asked)
    unsafe = {name for name, path in before.items() if "unsafe" in json.loads(out.read(path)).get("safety", {})}
    out.delete(path for name, path in before.items() if name not in unsafe)
    return unsafe
