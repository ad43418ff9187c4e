"""What a suite of protocols takes beside its networks: files, noise, steps, judging, bootstrap."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from sluice.flows.evaluate.methods import Networks
from sluice.flows.evaluate.settings import Settings
from sluice.flows.evaluate.suite import Place, evaluate
from tests.benchmarks.result import Goal, Result

PROTOCOLS = ("obedience", "amdm", "unite")
SETTINGS = Settings(scenes=16, seeds=2, steps=20, guidance=5)
MOST = 0.1


@dataclass
class NetworkClock:
    """Seconds within networks: in a module that no other called."""

    seconds: float = 0.0
    depth: int = 0
    since: float = 0.0

    def enter(self, *_: object) -> None:
        """A module is called."""
        if self.depth == 0:
            self.since = time.perf_counter()
        self.depth += 1

    def leave(self, *_: object) -> None:
        """It has answered, or raised."""
        self.depth -= 1
        if self.depth == 0:
            self.seconds += time.perf_counter() - self.since


@contextmanager
def watched() -> Iterator[NetworkClock]:
    """Every module of this process, while it lasts."""
    clock = NetworkClock()
    hooks = [
        register_module_forward_pre_hook(clock.enter),
        register_module_forward_hook(clock.leave, always_call=True),
    ]
    try:
        yield clock
    finally:
        for hook in hooks:
            hook.remove()


def run() -> list[Result]:
    """Three protocols, of few steps first, which load what is loaded once, and then as they are."""
    with tempfile.TemporaryDirectory() as folder:
        _evaluated(Path(folder) / "warm", SETTINGS.model_copy(update={"scenes": 8, "seeds": 1, "steps": 2}))
        with watched() as clock:
            began = time.perf_counter()
            _evaluated(Path(folder) / "timed", SETTINGS)
            seconds = time.perf_counter() - began
    outside = 1 - clock.seconds / seconds
    details = {"seconds": round(seconds, 1), "in networks": round(clock.seconds, 1), "protocols": list(PROTOCOLS)}
    return [Result("evaluate: time outside the networks / all", outside, Goal("<=", MOST), details)]


def _evaluated(place: Path, settings: Settings) -> None:
    at = Place("tabletop", Networks("tabletop"), place, place / "results", Console(quiet=True))
    evaluate([(name, settings) for name in PROTOCOLS], at)
