"""`python -m tests.soak [--minutes 60] [--seed N]`: all flows with a fault every minute, and docs/reliability.md of it.

Exit code 1 where something was lost, doubled or different, stood still, or ended for no fault.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from sluice.infra import interrupts
from sluice.infra.code import code_version
from sluice.infra.storage import storage
from tests.benchmarks.report import machine
from tests.soak.faults import FAULTS
from tests.soak.flows import FLOWS, Flow
from tests.soak.grounds import DISK_MB, Grounds, grounds
from tests.soak.report import Soaked, page
from tests.soak.run import Outcome, disturb
from tests.soak.storm import Storm, every
from tests.soak.undisturbed import Undisturbed, train_data, undisturbed

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


def main() -> int:
    """The exit code."""
    asked = _arguments()
    interrupts.listen()
    folder = Path(tempfile.mkdtemp(prefix="sluice-soak-"))
    try:
        with grounds(folder, asked.inputs) as made:
            soaked = _soak(made, asked)
    except KeyboardInterrupt:
        print("Interrupted: nothing was written.", file=sys.stderr)
        return 130
    finally:
        _save_logs(folder, asked.logs)
        shutil.rmtree(folder, ignore_errors=True)
    text = page(soaked)
    asked.page.write_text(text)
    print(text)
    return int(bool(soaked.defects))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long faults fall; the runs before come on top")
    parser.add_argument("--every", type=float, default=60.0, help="seconds, of which each has one fault")
    parser.add_argument("--seed", type=int, default=0, help="of moments, faults, and the order of flows")
    parser.add_argument("--inputs", type=int, default=3, help="sets of them, among which each run draws")
    parser.add_argument("--page", type=Path, default=PAGE, help="what is written")
    parser.add_argument("--logs", type=Path, help="a folder for what every command said")
    return parser.parse_args()


def _soak(made: Grounds, asked: argparse.Namespace) -> Soaked:
    """Before the faults begin everything is made once without."""
    draw = random.Random(asked.seed)
    whole = _undisturbed(made, asked.inputs)
    until = 60 * asked.minutes
    storm = Storm(made, draw, every(asked.every, until, draw), FAULTS.keys())
    outcomes: list[Outcome] = []
    while storm.now_s < until:
        for flow in draw.sample(FLOWS, len(FLOWS)):
            if storm.now_s < until:
                number = draw.randrange(asked.inputs)
                outcomes.append(_disturbed(flow, number, f"run-{len(outcomes)}", made, storm, whole))
    words = f"python -m tests.soak --minutes {asked.minutes:g} --every {asked.every:g} --seed {asked.seed}"
    facts = {
        "command": f"`{words} --inputs {asked.inputs}`",
        "faults fell for": f"{storm.now_s / 60:.0f} minutes",
        "code": code_version(),
        **machine(),
    }
    why = f"no disk of {DISK_MB} MB could be mounted; `unshare -Urm make soak` lets anyone mount one"
    return Soaked(facts, outcomes, storm.strikes, {} if made.small else {"disk full": why})


def _undisturbed(made: Grounds, inputs: int) -> Undisturbed:
    whole: Undisturbed = {}
    for number in range(inputs):
        train_data(made, number)
        for flow in FLOWS:
            place = made.place(number, f"undisturbed-{number}-{flow.name.replace(' ', '-')}")
            whole[flow.name, number] = undisturbed(flow, place, made)
            shutil.rmtree(place.out, ignore_errors=True)
            print(f"undisturbed: {flow.name} on inputs {number}", flush=True)
    return whole


def _disturbed(flow: Flow, number: int, name: str, made: Grounds, storm: Storm, whole: Undisturbed) -> Outcome:
    place, before = made.place(number, name), len(storm.strikes)
    outcome = disturb(flow, place, made, storm, whole[flow.name, number])
    met = ", ".join(strike.kind for strike in storm.strikes[before:]) or "nothing"
    print(f"{storm.now_s / 60:.1f} min: {flow.name}, {outcome.run.starts} starts, met {met}", flush=True)
    shutil.rmtree(place.out, ignore_errors=True)
    at = storage(place.remote)
    at.delete([entry.path for entry in at.list()])
    return outcome


def _save_logs(folder: Path, logs: Path | None) -> None:
    if logs is not None:
        logs.mkdir(parents=True, exist_ok=True)
        for log in folder.glob("*.log"):
            with suppress(OSError):
                shutil.copy(log, logs)


if __name__ == "__main__":
    sys.exit(main())
