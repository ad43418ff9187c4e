"""How batches are run: in this process, or by actors of Ray; what was loaded stays for the runs that follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch

from sluice.flows.compose.run.batches import Batch
from sluice.flows.compose.run.said import Said
from sluice.flows.compose.run.work import ComposeWork, Report
from sluice.flows.observe.units import done as observe
from sluice.flows.prefect_server import prefect_server
from sluice.flows.reach import refuse_unreachable
from sluice.flows.session import ray_session
from sluice.flows.stage_flow import run_stage_flow
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit
from sluice.preprocess.graph import Resources

KIND = "pictures"
Run = Callable[[ComposeWork, Sequence[Unit], Said], None]


@dataclass(frozen=True)
class Workers:
    """Actors of Ray, so many, of the cluster at `address` or of this machine."""

    count: int | None = None
    address: str | None = None


@contextmanager
def runs(workers: Workers | None, kinds: Sequence[str] = (KIND,)) -> Iterator[Run]:
    """Runs one after the other, of units of some kinds, by actors or in this process. Raises NoCluster."""
    if workers is None:
        yield Here()
        return
    if workers.address is not None:
        refuse_unreachable(workers.address)
    over = OverRay(workers, kinds)
    try:
        yield over
    finally:
        over.close()


class Here:
    """In this process, by one thread of it."""

    def __init__(self) -> None:
        self._of: tuple[ComposeWork, str] | None = None
        self._make: Callable[[Batch], Report]

    def __call__(self, work: ComposeWork, units: Sequence[Unit], said: Said) -> None:
        kind = units[0].kind
        if self._of != (work, kind):
            self._make, self._of = work.open(kind), (work, kind)
        threads = torch.get_num_threads()
        try:
            for unit in units:
                began = time.monotonic()
                report = self._make(unit.payload)
                unit.seconds = time.monotonic() - began
                _tell(said, unit, report)
        finally:
            torch.set_num_threads(threads)


class OverRay:
    """By actors, hired for the first run and kept until one fails, or is of another place; each run a Prefect flow."""

    def __init__(self, workers: Workers, kinds: Sequence[str]) -> None:
        self.workers, self.kinds = workers, kinds
        self._open = ExitStack()
        self._work: ComposeWork | None = None
        self.dispatcher: Dispatcher
        self._units: set[Unit] = set()
        self._said: Said

    def __call__(self, work: ComposeWork, units: Sequence[Unit], said: Said) -> None:
        self._units, self._said = set(units), said
        try:
            if self._work != work:
                self._begin(work)
            self.dispatcher.submit(units)
            run_stage_flow("sluice-compose", "compose", self.dispatcher, units, lambda: None)
        except BaseException:
            self.close()  # a dispatcher that was stopped hands out nothing more
            raise

    def close(self) -> None:
        """Dismiss the actors."""
        self._work = None
        self._open.close()

    def _begin(self, work: ComposeWork) -> None:
        self.close()
        self._open.enter_context(prefect_server())
        self._open.enter_context(ray_session(self.workers.address, self.workers.count))
        import ray

        gpus = 1.0 if ray.cluster_resources().get("GPU", 0) else 0.0  # type: ignore[no-untyped-call]
        demands = dict.fromkeys(self.kinds, Resources(gpus=gpus))
        dispatcher = Dispatcher(work, demands, self._arrived, self.workers.count)
        self.dispatcher, self._work = self._open.enter_context(dispatcher), work

    def _arrived(self, unit: Unit, report: Report) -> None:
        if unit in self._units:
            _tell(self._said, unit, report)
        else:  # the half of one that killed its worker
            self._said.report(report, whole=False)


def _tell(said: Said, unit: Unit, report: Report) -> None:
    said.report(report)
    observe(unit, report.done, left_out=["failed"] * report.withheld)
