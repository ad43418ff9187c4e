"""`index.html` beside a run's pictures: self-contained, and of many pictures the first ones with links to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.flows.compose.page.inputs import input_blocks
from sluice.flows.compose.page.left_out import left_out_blocks
from sluice.flows.compose.page.made import Found, find_all
from sluice.flows.compose.page.process import process_blocks
from sluice.flows.compose.page.results import result_blocks, told
from sluice.flows.compose.page.words import tree_of
from sluice.flows.compose.run.pictures import Asked
from sluice.flows.compose.run.tables import Row
from sluice.flows.compose.run.work import quarantined
from sluice.flows.compose.tree.job import Job
from sluice.infra.page.blocks import Block, Cell, Fold, Notice, Page, Section, Table
from sluice.infra.page.render import render
from sluice.infra.page.text import count_text
from sluice.infra.storage import Storage

PAGE = "index.html"
SHOWN, LINKED = 24, 1000
"""Pictures that are shown, and further ones that are named."""


def write_page(out: Storage, asked: Sequence[Asked], wrong: Sequence[Row] = ()) -> None:
    """Of the pictures that were asked for, as far as they are there, and the rows of a table that were wrong."""
    out.write(PAGE, render(page_now(out, asked, wrong)))


def page_now(out: Storage, asked: Sequence[Asked], wrong: Sequence[Row] = ()) -> Page:
    """The page as far as the pictures have come."""
    asked = list({own.name: own for own in asked}.values())
    there = {entry.path for entry in out.list()}
    found = find_all(out, asked[:SHOWN], there)
    return page_of(asked, found, len(quarantined(there, asked)), wrong)


def page_of(asked: Sequence[Asked], found: Sequence[Found], withheld: int, wrong: Sequence[Row] = ()) -> Page:
    """Of what was found of the first of the pictures that were asked for; `withheld` counts those of all."""
    jobs = [Job.model_validate(own.asked.record["job"]) for own in found]
    sections = [
        Section("results", "Pictures", [*result_blocks(found), *_rest(asked[SHOWN:])], _lead(asked, found)),
        Section("job", "The job", [tree_of(jobs[0])] if jobs else [], "What nests in what, of the first picture."),
        Section("inputs", "Inputs", _inputs(found, jobs), "Hatched is where an image says nothing."),
        Section("process", "How it came about", process_blocks(found), "The run's first batch was watched."),
        Section("left-out", "Judged, cut and left out", left_out_blocks(found, wrong)),
    ]
    return Page(
        _title(asked), "composed pictures", _facts(asked, jobs), [own for own in sections if own.blocks],
        _notices(withheld, wrong),
    )  # fmt: skip


def _title(asked: Sequence[Asked]) -> str:
    prompts = list(dict.fromkeys(told(own.prompt) for own in asked))
    return prompts[0] if len(prompts) == 1 else f"{count_text(len(asked))} pictures"


def _facts(asked: Sequence[Asked], jobs: Sequence[Job]) -> list[tuple[str, str]]:
    facts = [
        ("pictures", count_text(len(asked))),
        ("prompts", count_text(len({own.prompt for own in asked}))),
        ("seeds", count_text(len({own.seed for own in asked}))),
    ]
    if jobs:
        first = asked[0].record
        facts += [
            ("size", f"{jobs[0].size} × {jobs[0].size}"),
            ("steps", str(jobs[0].steps)),
            ("composed by", f"`{jobs[0].picture.kind}`"),
            ("Sluice", str(first["sluice"])),
        ]
    return facts


def _lead(asked: Sequence[Asked], found: Sequence[Found]) -> str:
    beside = "Each leads to its file; the `.json` beside it says how to make it again."
    return beside if len(asked) == len(found) else f"The first {len(found)} of {count_text(len(asked))}. {beside}"


def _rest(asked: Sequence[Asked]) -> list[Block]:
    """Those that are not shown, by name."""
    if not asked:
        return []
    rows = [[Cell(f"{own.name}.png", True, link=f"{own.name}.png"), Cell(told(own.prompt)), Cell(str(own.seed))]
            for own in asked[:LINKED]]  # fmt: skip
    table = Table(("picture", "prompt", "seed"), rows, frozenset({"seed"}))
    more = f", the first {count_text(LINKED)} of them named here" if len(asked) > LINKED else ""
    return [Fold(f"more pictures{more}", count_text(len(asked)), [table])]


def _inputs(found: Sequence[Found], jobs: Sequence[Job]) -> list[Block]:
    return input_blocks(jobs, Path(found[0].asked.record["folder"])) if found else []


def _notices(withheld: int, wrong: Sequence[Row]) -> list[Notice]:
    counts = {
        "Withheld": (withheld, "of the pictures could not be made, or are not to be shown"),
        "Left out": (len(wrong), "of the table's rows are wrong"),
    }
    return [
        Notice(mark, f"{count_text(count)} {what}: `quarantine` says why.")
        for mark, (count, what) in counts.items()
        if count
    ]
