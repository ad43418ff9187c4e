"""A table as many jobs: each row's columns, by name, over a job's settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet
from pydantic import ValidationError

from sluice.flows.compose.run.pictures import Asked, MadeOf, pictures_of
from sluice.flows.compose.run.safety import Unscreened
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.job_file import problems_of
from sluice.flows.compose.tree.misfit import Misfit, Problem
from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError, override, put, read_settings

ONE = {"prompt": "prompts", "seed": "seeds"}
"""Columns with one of what a job has several of."""


@dataclass(frozen=True)
class Row:
    """A row by its number, from 1, with the pictures it asks for, or what is wrong with it."""

    number: int
    asked: tuple[Asked, ...] = ()
    wrong: str | None = None


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a .parquet, .csv or .jsonl file; what they leave empty is left out. Raises ConfigError.

    In CSV a cell is text, `""` the empty one, and nothing at all leaves the job's own.
    """
    readers = {".parquet": pa.parquet.read_table, ".csv": _csv, ".jsonl": pa.json.read_json}
    if path.suffix not in readers:
        raise ConfigError(f"{path} is no table: it must end in {', '.join(readers)}")
    if not path.is_file():
        raise ConfigError(f"there is no file {path}, which is to be a table")
    try:
        table = readers[path.suffix](path)
    except pa.ArrowException as error:
        raise ConfigError(f"{path} is no {path.suffix[1:]} that can be read: {error}") from error
    if not table.num_rows:
        raise ConfigError(f"{path} has no rows")
    twice = {name for name in table.column_names if table.column_names.count(name) > 1}
    if twice:
        raise ConfigError(f"{path} has columns twice, of which one would go unheard: {', '.join(sorted(twice))}")
    for one, several in ONE.items():
        if {one, several} <= {*table.column_names}:
            raise ConfigError(f"{path} has columns {one} and {several}, of which one would go unheard: leave one out")
    return [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]


def rows_of(table: Path, file: Path, settings: Sequence[str], made_of: MadeOf) -> Iterator[Row]:
    """What each row makes of the job in `file`. Raises ConfigError where the job itself cannot be."""
    for number, cells, job in _jobs(table, file, settings):
        try:
            yield Row(number, tuple(pictures_of(job(), made_of)))
        except (Unscreened, _Unreadable):
            raise
        except Misfit as error:
            yield Row(number, wrong=f"{table}: row {number}: {_of_row(error.problems, cells, file)}")
        except SluiceError as error:
            yield Row(number, wrong=f"{table}: row {number}: {error}")


def jobs_of(table: Path, file: Path, settings: Sequence[str]) -> Iterator[Job]:
    """The jobs of all rows that are not wrong in themselves. Raises as `rows_of`."""
    for _, _, job in _jobs(table, file, settings):
        try:
            yield job()
        except _Unreadable:
            raise
        except ConfigError:
            continue


def _jobs(
    table: Path, file: Path, settings: Sequence[str]
) -> Iterator[tuple[int, Mapping[str, Any], Callable[[], Job]]]:
    """Number, cells, and what makes the job of each row."""
    values = read_settings(file, "`prompts: [a red star]`")
    for setting in settings:
        override(values, setting, "steps=50")
    rows = read_table(table)
    columns = tuple(dict.fromkeys(name for cells in rows for name in cells))
    for number, cells in enumerate(rows, 1):
        yield number, cells, partial(_job, values, cells, columns, file)


class _Unreadable(ConfigError):
    """The job's own settings are wrong, whatever the row."""


def _csv(path: Path) -> pa.Table:
    names = pa.csv.open_csv(path).schema.names
    return pa.csv.read_csv(
        path,
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def _job(values: Mapping[str, Any], cells: Mapping[str, Any], columns: Sequence[str], file: Path) -> Job:
    own = deepcopy(dict(values))
    for column, value in cells.items():
        put(own, ONE.get(column, column), [value] if column in ONE else value, f"column {column}")
    try:
        return Job.model_validate(own)
    except ValidationError as error:
        raise ConfigError(_by_column(problems_of(error), columns, file)) from error


def _by_column(problems: Iterable[tuple[Sequence[str | int], str]], columns: Iterable[str], file: Path) -> str:
    """Raises _Unreadable for what no column says."""
    said = [_described(".".join(map(str, place)), said, columns, file) for place, said in problems]
    return "; ".join(dict.fromkeys(said))


def _of_row(problems: Iterable[Problem], cells: Collection[str], file: Path) -> str:
    """What does not fit, by the column that says it, or by what is in the file and does not go with the row's."""
    said = []
    for parts, wrong in problems:
        place = ".".join(map(str, parts))
        column = _column(place, cells)
        said.append(f"column {column}: {wrong}" if column else f"{place} of {file}: {wrong}")
    return "; ".join(dict.fromkeys(said))


def _column(place: str, columns: Iterable[str]) -> str | None:
    return next((name for name in columns if _meet(ONE.get(name, name), place)), None)


def _described(place: str, said: str, columns: Iterable[str], file: Path) -> str:
    column = _column(place, columns)
    if column is None:
        raise _Unreadable(f"{file}: {place}: {said}; mend it there, or have a column of this name")
    return f"column {column}: {said}"


def _meet(one: str, other: str) -> bool:
    """Whether one dotted name is the other or leads into it."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def ledger(rows: Sequence[Row], quarantined: Collection[str]) -> bytes:
    """As CSV, for each row its pictures, and whether they were made."""
    lines: list[dict[str, Any]] = [
        {"row": row.number, "picture": own.name, "made": own.name not in quarantined, "wrong": None}
        for row in rows
        for own in row.asked
    ]
    lines += [{"row": row.number, "picture": None, "made": False, "wrong": row.wrong} for row in rows if row.wrong]
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(pa.Table.from_pylist(sorted(lines, key=lambda line: line["row"])), sink)
    return bytes(sink.getvalue())


def told(row: Row) -> bytes:
    """What quarantine keeps of a row that is wrong."""
    return json.dumps({"row": row.number, "reason": row.wrong}, indent=1).encode()
