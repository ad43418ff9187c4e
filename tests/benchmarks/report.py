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


def as_json(result: Result) -> dict[str, Any]:
    """A result as plain values."""
    return {**asdict(result), "goal": str(result.goal), "reached": result.goal.reached(result.ratio)}


def as_table(results: Sequence[Result]) -> str:
    """A Markdown table: what was compared, the ratio, the goal, whether it was reached."""
    rows = [("benchmark", "ratio", "goal", "reached"), ("---", "---:", "---", "---")]
    for r in results:
        rows.append((r.name, f"{r.ratio:.3g}", str(r.goal), "yes" if r.goal.reached(r.ratio) else "**no**"))
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


def write_page(page: Path, results: Sequence[Result], missing: Sequence[str], facts: Mapping[str, str]) -> None:
    """Put what was measured between the page's markers; what an earlier run put there goes."""
    measured = "\n\n".join(
        (
            "\n".join(f"- {name}: {value}" for name, value in facts.items()),
            as_table(results),
            *(f"Not measured: {line}" for line in missing),
            "All that was measured:",
            "```json\n" + "\n".join(json.dumps(as_json(result)) for result in results) + "\n```",
        )
    )
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{measured}\n{END}{after}")
