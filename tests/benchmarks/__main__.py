"""`python -m tests.benchmarks [NAME ...] [--write]`: measure, print, and write into docs/benchmarks.md if asked to."""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
from pathlib import Path

from sluice.infra.errors import SluiceError
from tests.benchmarks.report import Measured, as_table, machine, measured, write_page

NAMES = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(NAMES)}; none for all")
    parser.add_argument("--write", action="store_true", help=f"put what was measured into docs/{PAGE.name}")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in NAMES]
    if unknown:
        parser.error(f"there is no benchmark '{unknown[0]}'; there are: {', '.join(NAMES)}")
    results: list[Measured] = []
    facts = machine()
    missing: list[str] = []
    for name in arguments.names or NAMES:
        try:
            found = importlib.import_module(f"tests.benchmarks.bench_{name}").run()
        except (SluiceError, RuntimeError, subprocess.CalledProcessError) as error:
            missing.append(f"{name}: {error}")
            continue
        own = [measured(name, result, facts) for result in found]
        results += own
        for result in own:
            print(json.dumps(result), flush=True)
    print("\n".join([as_table(results), *(f"NOT MEASURED: {line}" for line in missing)]))
    if arguments.write:
        write_page(PAGE, results, missing, facts)
    sys.exit(bool(missing))


if __name__ == "__main__":
    main()
