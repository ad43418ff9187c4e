"""What a page says of stages: the model each ran, its timings from the commits, and what its fields weigh."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.infra.commits import Commit
from sluice.infra.page.blocks import Cell, Notice, Table
from sluice.infra.page.text import bytes_text, count_text, seconds_text
from sluice.preprocess.graph import UNFIT
from sluice.preprocess.record import field_named

SHORT = 8


@dataclass(frozen=True)
class Work:
    """What a stage's commits come to: records it holds and computed, worker seconds, bytes, and bytes by field."""

    shards: int
    records: int
    computed: int
    seconds: float
    size: int
    field_bytes: Mapping[str, int]


def work_of(commits: Iterable[Commit]) -> Work:
    """The sum over a stage's commits."""
    shards = records = computed = size = 0
    seconds = 0.0
    field_bytes: Counter[str] = Counter()
    for commit in commits:
        shards, records, size = shards + 1, records + commit.records, size + commit.size
        computed += int(commit.facts.get("computed", 0))
        seconds += float(commit.facts.get("seconds", 0))
        field_bytes.update(commit.facts.get("field_bytes", {}))
    return Work(shards, records, computed, seconds, size, dict(field_bytes))


def notices(stages: Sequence[Mapping[str, Any]], left_out: Sequence[str]) -> list[Notice]:
    """Marks, fall-backs and stages left out, the gravest first; what several stages say is said once."""
    unfit: dict[str, list[str]] = defaultdict(list)
    others: dict[str, list[str]] = defaultdict(list)
    for stage in stages:
        for note in stage["notes"]:
            if note == UNFIT:
                unfit[stage["model"]] += [f"`{field}`" for field in stage["writes"]]
            else:
                others[note].append(stage["name"])
    return [
        *(Notice(UNFIT, f"{', '.join(fields)}, made by {model}", "bad") for model, fields in unfit.items()),
        *(Notice(", ".join(names), note) for note, names in others.items()),
        *(Notice("left out", line, "muted") for line in left_out),
    ]


def stage_table(stages: Sequence[Mapping[str, Any]], work: Mapping[str, Work], shards: int) -> Table:
    """A row for each stage in running order; its bar compares it with the longest."""
    longest = max((w.seconds for w in work.values()), default=0.0)
    unfinished = any(w.shards < shards for w in work.values())
    columns = ["stage", *(["shards"] if unfinished else []), "model", "version", "fingerprint"]
    columns += ["computed records", "worker time", "records/s", "bytes"]
    rows = []
    for stage in stages:
        w = work[stage["name"]]
        progress = [Cell(f"{count_text(w.shards)} of {count_text(shards)}", bar=w.shards / max(shards, 1))]
        rows.append(
            [
                Cell(stage["name"], notes=_short_notes(stage["notes"])),
                *(progress if unfinished else []),
                Cell(stage["model"] or "–"),
                Cell(str(stage["version"])),
                Cell(stage["fingerprint"][:SHORT], code=True, full=stage["fingerprint"]),
                Cell(count_text(w.computed)),
                Cell(seconds_text(w.seconds), bar=w.seconds / longest if longest else 0.0),
                Cell(_rate(w)),
                Cell(bytes_text(w.size)),
            ]
        )
    numbers = {"version", "computed records", "worker time", "records/s", "bytes"}
    return Table(columns, rows, frozenset(numbers))


def _short_notes(notes: Sequence[str]) -> list[str]:
    """The marks that fit below a stage's name; what they mean, and all others, stand in the notices."""
    return [UNFIT if note == UNFIT else "fall-back" for note in notes if note == UNFIT or note.endswith(" instead")]


def _rate(work: Work) -> str:
    return f"{work.computed / work.seconds:.3g}" if work.seconds and work.computed else "–"


def field_table(stages: Sequence[Mapping[str, Any]], work: Mapping[str, Work]) -> Table:
    """A row for each field of a record: what it is, who writes it, what it weighs."""
    rows = []
    for stage in stages:
        w = work[stage["name"]]
        for name in stage["writes"]:
            size = w.field_bytes.get(name, 0)
            rows.append(
                [
                    Cell(name, code=True),
                    Cell(field_named(name).describes),
                    Cell(stage["name"]),
                    Cell(bytes_text(size)),
                    Cell(bytes_text(size / w.records) if w.records else "–"),
                ]
            )
    return Table(("field", "what it is", "stage", "bytes", "a record"), rows, frozenset({"bytes", "a record"}))
