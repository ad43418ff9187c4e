"""The page of a data set: what came in and where it went, what ran, what was left out, and some records to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.infra.commits import Commit, CommitLog
from sluice.infra.page.blocks import UNFINISHED, Cards, Fold, Notice, Page, Section, Sum, Term, Text
from sluice.infra.page.text import bytes_text, count_text, seconds_text, time_text
from sluice.infra.storage import Storage
from sluice.preprocess.page.distributions import distributions
from sluice.preprocess.page.quarantine import quarantine_blocks
from sluice.preprocess.page.records import Sample, by_shard, cards, sample, spread
from sluice.preprocess.page.stages import field_table, notices, stage_table, work_of
from sluice.preprocess.planning.build import Build, Commits
from sluice.preprocess.record import field_named
from sluice.preprocess.version.export import scalars
from sluice.preprocess.version.making import Counts, describe_node
from sluice.preprocess.version.manifest import Version, table_rows

MEASURED_SHARDS = 64
READERS = 16


@dataclass(frozen=True)
class Shown:
    """What a page shows: a version, or a run that has not come to one (`counts` is None then).

    `outputs` and `quarantine` are rows as in a version's parquet files, `commits` the stages' commits behind `outputs`.
    """

    storage: Storage
    dataset: str
    id: str
    source: Mapping[str, Any]
    stages: Sequence[Mapping[str, Any]]
    left_out: Sequence[str]
    shards: int
    planned: int
    counts: Counts | None
    outputs: Sequence[Mapping[str, Any]]
    quarantine: Sequence[Mapping[str, str]]
    commits: Mapping[str, Sequence[Commit]]


def of_version(storage: Storage, version: Version) -> Shown:
    """A version; of its stages' commits, those that it is made of."""
    manifest = version.manifest
    outputs = list(table_rows(storage, version, "shards.parquet"))
    made_of = {output["digest"] for output in outputs}
    commits = {}
    for stage in manifest["stages"]:
        log = CommitLog(storage, f"stages/{stage['name']}/{stage['fingerprint']}")
        there = log.all()
        wanted = [shard for _, shard, _ in manifest["shards"]]
        commits[stage["name"]] = [there[s] for s in wanted if s in there and there[s].digest in made_of]
    return Shown(
        storage=storage,
        dataset=version.dataset,
        id=version.id,
        source=manifest["source"],
        stages=manifest["stages"],
        left_out=manifest["left_out"],
        shards=len(manifest["shards"]),
        planned=sum(records for _, _, records in manifest["shards"]),
        counts=Counts(**manifest["counts"]),
        outputs=outputs,
        quarantine=list(table_rows(storage, version, "quarantine.parquet")),
        commits=commits,
    )


def of_run(build: Build, commits: Commits) -> Shown:
    """A run as far as it has come: interrupted, stopped by `max_failures`, or still going."""
    shards = build.plan.shards
    outputs, quarantine = [], {}
    present: dict[str, list[Commit]] = {node.name: [] for node in build.nodes}
    for shard in shards:
        for node in build.nodes:
            commit = commits[node.name].get(shard.id)
            if commit is not None:
                folder = f"stages/{node.name}/{node.fingerprint}"
                sidecar = f"{folder}/{commit.sidecar}" if commit.sidecar else ""
                place = {"ordinal": shard.ordinal, "stage": node.name, "file": f"{folder}/{commit.file}"}
                outputs.append({**place, "sidecar": sidecar, "records": commit.records})
                present[node.name].append(commit)
                quarantine.update(
                    {entry["key"]: entry for entry in commit.quarantined if entry["key"] not in quarantine}
                )
    return Shown(
        storage=build.storage,
        dataset=build.config.name,
        id="",
        source={"kind": build.source.kind, **build.source.config.model_dump(mode="json")},
        stages=[describe_node(node) for node in build.nodes],
        left_out=build.left_out,
        shards=len(shards),
        planned=build.plan.records,
        counts=None,
        outputs=outputs,
        quarantine=[*quarantine.values(), *build.plan.unreadable_entries()],
        commits=present,
    )


def run_page(name: str) -> str:
    """Where the page of a data set's run lies, in its storage."""
    return f"datasets/{name}/run/page.html"


def dataset_page(shown: Shown, when: datetime) -> Page:
    """The page of a version or of a run; `when` is the time that it says it was made at."""
    picked = sample(shown.storage, shown.outputs)
    sections = [_images(shown), _quarantine(shown), _stages(shown), _distributions(shown), _records(shown, picked)]
    return Page(
        title=shown.dataset,
        about=f"data set, version {shown.id}" if shown.id else "data set, a run",
        facts=_facts(shown, when),
        sections=[section for section in sections if section.blocks],
        notices=[
            *_progress(shown),
            *notices(shown.stages, shown.left_out),
            *(Notice("could not be read", problem, "bad") for problem in picked.problems),
        ],
    )


def _facts(shown: Shown, when: datetime) -> list[tuple[str, str]]:
    size = sum(commit.size for commits in shown.commits.values() for commit in commits)
    return [
        ("source", f"{shown.source['kind']}: {shown.source.get('uri', '')}"),
        ("stored in", shown.storage.uri),
        ("shards", count_text(shown.shards)),
        ("stage outputs", bytes_text(size)),
        ("page made", time_text(when)),
    ]


def _progress(shown: Shown) -> list[Notice]:
    if shown.counts is not None:
        return []
    units = sum(len(commits) for commits in shown.commits.values())
    total = shown.shards * len(shown.stages)
    text = (
        f"{count_text(units)} of {count_text(total)} units of work are done; the same build, run again, goes on there."
    )
    return [Notice(UNFINISHED, text)]


def _images(shown: Shown) -> Section:
    counts = shown.counts
    if counts is None:
        planned = Text(f"Records planned: {count_text(shown.planned)}. Shards: {count_text(shown.shards)}.")
        return Section("images", "Images", [planned])
    parts = [
        Term("records", counts.records),
        Term("duplicates", counts.duplicates, "muted"),
        Term("quarantined", counts.quarantined, "bad"),
        Term("filtered out", counts.filtered, "warn"),
    ]
    return Section("images", "Images", [Sum(Term("images", counts.images), parts)])


def _stages(shown: Shown) -> Section:
    work = {name: work_of(commits) for name, commits in shown.commits.items()}
    total = sum(w.seconds for w in work.values())
    lead = f"{seconds_text(total)} of work in all, as each stage's workers counted it."
    fields = field_table(shown.stages, work)
    weighed = Fold("fields of a record, and what they weigh", count_text(len(fields.rows)), [fields])
    return Section("stages", "Stages", [stage_table(shown.stages, work, shown.shards), weighed], lead)


def _quarantine(shown: Shown) -> Section:
    lead = "Left out, by reason. The same build with `--retry` tries those that failed once more."
    return Section("quarantine", "Left out", quarantine_blocks(shown.quarantine), lead)


def _distributions(shown: Shown) -> Section:
    shards = by_shard(shown.outputs)
    chosen = spread(list(shards), MEASURED_SHARDS)
    with ThreadPoolExecutor(READERS) as readers:
        rows = [row for part in readers.map(lambda o: scalars(shown.storage, shards[o]), chosen) for row in part]
    of = f"{count_text(len(chosen))} of {count_text(len(shards))} shards" if len(chosen) < len(shards) else "all shards"
    lead = f"Of {count_text(len(rows))} records, from {of}. The dashed line is the median."
    return Section("distributions", "Distributions", distributions(rows), lead)


def _records(shown: Shown, picked: Sample) -> Section:
    made = cards(picked.records)
    of = f" of {count_text(shown.counts.records)}" if shown.counts else ""
    lead = (
        f"{len(made)}{of}, spread over the shards. The command that made this page shows one in full size with `--key`."
    )
    deep = [f"`{name}`" for stage in shown.stages for name in stage["writes"] if field_named(name).dtype == "uint16"]
    if deep:
        lead += f" Drawn in colours here (depth: near is bright), 16 bits in the files: {', '.join(deep)}."
    return Section("records", "Records", [Cards(made)] if made else [], lead)
