"""Records through a stage, a batch at a time: what fails or is no such field is left out alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sluice.preprocess.graph import Stage
from sluice.preprocess.planning.plan import Row
from sluice.preprocess.record import Record, check_value, field_named
from sluice.preprocess.units.measures import measure
from sluice.preprocess.units.output import Output, quarantine


def run_batch(stage: Stage[Any], records: Sequence[Record], rows: Mapping[str, Row], output: Output) -> None:
    """One batch; if it fails, one by one, so that only the culprits are left out."""
    alive = [record for record in records if record.rejection is None]
    fresh = [Record(record.key, dict(record.encoded)) for record in alive]
    try:
        if alive:
            stage(alive)
    except Exception as error:
        if len(alive) > 1:
            for record in fresh:
                run_batch(stage, [record], rows, output)
            records = [record for record in records if record.rejection is not None]
        else:
            alive[0].reject(f"{type(error).__name__}: {error}")
    for record in records:
        _take(stage, record, rows[record.key], output)


def _take(stage: Stage[Any], record: Record, row: Row, output: Output) -> None:
    if record.rejection is None and (wrong := _wrong(stage, record)):
        record.reject(f"stage '{stage.name}' wrote what a reader may not expect: {wrong}")
    if record.rejection is not None:
        output.quarantined.append(quarantine(row, stage.name, record.rejection.reason, record.rejection.kind))
        return
    output.fields[record.key] = {name: record.encode(name) for name in stage.writes}
    output.scalars[record.key] = measure(record, stage.writes)


def _wrong(stage: Stage[Any], record: Record) -> str | None:
    """What is wrong with the fields that a stage wrote on a record, or None."""
    missing = [name for name in stage.writes if name not in record]
    if missing:
        return f"no {', '.join(missing)}"
    size = record.values["jpg"].shape[:2] if "jpg" in record.values else None
    problems = (check_value(field_named(name), record[name], size) for name in stage.writes)
    return next((problem for problem in problems if problem), None)
