"""Results as a table, as JSON, and as the dated part of docs/benchmarks.md."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.result import Result

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PACKAGES = ("ray", "prefect", "numpy", "opencv-python-headless", "simplejpeg", "torch", "webdataset")


Measured = dict[str, Any]
"""A result as plain values, with the benchmark that it is of, and when and where it was measured."""


def measured(benchmark: str, result: Result, facts: Mapping[str, str]) -> Measured:
    """What is kept of a result."""
    goal = result.goal
    judged = {"goal": str(goal or ""), "reached": None if goal is None else goal.reached(result.ratio)}
    told = {"benchmark": benchmark, **{name: facts[name] for name in ("date", "machine")}}
    return {**told, **asdict(result), **judged}


def as_table(results: Sequence[Measured]) -> str:
    """A Markdown table: what was compared, the ratio, the goal, whether it was reached, and when."""
    rows = [("benchmark", "ratio", "goal", "reached", "measured"), ("---", "---:", "---", "---", "---")]
    for r in results:
        reached = {True: "yes", False: "**no**", None: ""}[r["reached"]]
        rows.append((r["name"], f"{r['ratio']:.3g}", r["goal"], reached, r["date"]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def machine() -> dict[str, str]:
    """Where it was measured."""
    cores = os.cpu_count() or 1
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{cores} cores, {_processor()}, {_memory_gb():.0f} GB, {platform.system()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    """The CPU's own name where Linux tells it."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    return found[1] if found else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def write_page(page: Path, results: Sequence[Measured], missing: Sequence[str], facts: Mapping[str, str]) -> None:
    """Put what was measured between the page's markers, in place of what was there of the same benchmarks."""
    before, _, rest = page.read_text().partition(BEGIN)
    there, _, after = rest.partition(END)
    ran = {own["benchmark"] for own in results}
    earlier = [json.loads(line) for line in there.splitlines() if line.startswith("{")]
    shown = sorted(
        [*(own for own in earlier if own["benchmark"] not in ran), *results], key=lambda own: own["benchmark"]
    )
    body = "\n\n".join(
        (
            "\n".join(f"- {name}: {value}" for name, value in facts.items()),
            as_table(shown),
            *(f"Not measured: {line}" for line in missing),
            "All that was measured:",
            "```json\n" + "\n".join(map(json.dumps, shown)) + "\n```",
        )
    )
    page.write_text(f"{before}{BEGIN}\n{body}\n{END}{after}")
