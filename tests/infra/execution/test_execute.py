"""The dispatcher over real actors: order, deaths, bisection, failures."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ray.exceptions import OutOfDiskError

from sluice.flows.session import ray_session
from sluice.infra.errors import SluiceError
from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.placement import ExecutionError
from sluice.infra.execution.unit import Unit


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    with ray_session(None, 4):
        yield


@dataclass(frozen=True)
class Demand:
    cpus: int = 1
    gpus: float = 0.0
    gpu_memory_gb: float = 0.0
    accelerator: str | None = None


class Numbers:
    """Units are lists of numbers; 13 kills its worker, -1 raises, -2 raises what a user can mend, -3 is lost by Ray."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal

    def open(self, kind: str) -> Callable[[Any], Any]:
        with self.journal.open("a") as journal:
            journal.write(f"open {kind} {os.getpid()}\n")
        return self._run

    def _run(self, numbers: list[Any]) -> Any:
        with self.journal.open("a") as journal:
            journal.write(f"run {numbers}\n")
        if 13 in numbers:
            os.kill(os.getpid(), signal.SIGKILL)
        if -1 in numbers:
            raise ValueError("minus one")
        if -2 in numbers:
            raise SluiceError("minus two")
        if -3 in numbers:
            return OutOfDiskError("no room for minus three")  # which `ray.get` raises as if it were Ray's own
        return numbers

    def halve(self, numbers: list[Any]) -> tuple[list[Any], list[Any], list[Any]] | None:
        middle = len(numbers) // 2
        return (numbers[:middle], numbers[middle:], numbers) if len(numbers) > 1 else None

    def mark(self, numbers: list[Any]) -> list[Any]:
        return [f"marked {number}" for number in numbers]


class Halving(Numbers):
    """Like a stage: once its halves are done, the whole has nothing left to run."""

    def _run(self, numbers: list[Any]) -> Any:
        done = self.journal.with_suffix(".done")
        settled = set(done.read_text().split()) if done.exists() else set()
        left = [n for n in numbers if str(n) not in settled and not str(n).startswith("marked")]
        result = super()._run(left)
        with done.open("a") as file:
            file.writelines(f"{str(n).removeprefix('marked ')}\n" for n in numbers)
        return result


class Deadly(Numbers):
    """Kills its worker with whatever holds 7, marked or halved before or not."""

    def _run(self, numbers: list[Any]) -> Any:
        return super()._run([13] if numbers in ([1, 7], [7], ["marked 7"]) else numbers)


class Unloadable(Numbers):
    """Cannot come to life in a worker, like code that is missing there."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "default_worker" in sys.argv[0]:
            raise ImportError("no module named 'elsewhere'")
        self.__dict__.update(state)


def run(work: Any, units: list[Unit], demands: dict[str, Demand] | None = None) -> dict[str, Any]:
    results: dict[str, Any] = {}
    kinds = demands or {unit.kind: Demand() for unit in units}
    with Dispatcher(work, kinds, lambda unit, result: results.update({unit.name: result}), 2) as dispatcher:
        dispatcher.submit(units)
        dispatcher.wait([unit.name for unit in units])
    return results


def test_units_run_once_each_and_after_what_they_need(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    order: list[str] = []
    units = [Unit(f"b{i}", "b", [i], needs={f"a{i}"}) for i in range(6)] + [Unit(f"a{i}", "a", [i]) for i in range(6)]
    work = Numbers(journal)
    with Dispatcher(work, {"a": Demand(), "b": Demand()}, lambda u, _: order.append(u.name), 2) as dispatcher:
        dispatcher.submit(units)
        dispatcher.wait([unit.name for unit in units])
    assert sorted(order) == sorted(unit.name for unit in units)
    assert all(order.index(f"a{i}") < order.index(f"b{i}") for i in range(6))
    opened = [line for line in journal.read_text().splitlines() if line.startswith("open")]
    assert len(opened) <= 4, "an actor opens another kind only when its own has nothing left"


def test_a_unit_that_is_submitted_again_is_run_again_and_by_the_same_worker(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with Dispatcher(Numbers(journal), {"a": Demand()}, lambda *_: None, 1) as dispatcher:
        for number in (1, 2):
            dispatcher.submit([Unit("one", "a", [number])])
            dispatcher.wait(["one"])
            assert journal.read_text().splitlines()[-1] == f"run [{number}]"
    assert journal.read_text().count("open") == 1


def test_a_unit_that_kills_its_worker_is_halved_down_to_the_culprit(tmp_path: Path) -> None:
    units = [Unit("bad", "a", [10, 11, 12, 13, 14, 15]), Unit("good", "a", [1, 2])]
    results = run(Halving(tmp_path / "journal"), units)
    assert results["good"] == [1, 2]
    assert results["bad"] == [], "its halves have done everything"
    singles = [r for name, r in results.items() if name.startswith("bad") and r == []]
    assert singles
    runs = (tmp_path / "journal").read_text().splitlines()
    assert runs.count("run [13]") == 2, "the culprit is tried twice alone, then marked"


def test_a_failing_unit_is_tried_three_times_then_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="u failed: ValueError: minus one"):
        run(Numbers(tmp_path / "journal"), [Unit("u", "a", [-1])])
    assert (tmp_path / "journal").read_text().count("run [-1]") == 3


def test_a_result_that_ray_cannot_hand_over_is_asked_for_three_times_then_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match=r"(?s)u failed: OutOfDiskError: .*no room for minus three"):
        run(Numbers(tmp_path / "journal"), [Unit("u", "a", [-3])])
    assert (tmp_path / "journal").read_text().count("run [-3]") == 3


@pytest.mark.parametrize("numbers", [[7], [1, 7]])
def test_what_kills_workers_with_nothing_left_to_run_stops_the_run(numbers: list[int], tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="kills its workers with nothing left in it to run"):
        run(Deadly(tmp_path / "journal"), [Unit("u", "a", numbers)])
    tried = (tmp_path / "journal").read_text().count("run [13]")
    assert tried == (4 if numbers == [7] else 2 + 4)


def test_a_worker_that_cannot_start_stops_the_run_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match=r"(?s)no worker can be started.*no module named 'elsewhere'"):
        run(Unloadable(tmp_path / "journal"), [Unit("u", "a", [1, 2])])


def test_what_a_user_must_mend_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="minus two"):
        run(Numbers(tmp_path / "journal"), [Unit("u", "a", [-2])])
    assert (tmp_path / "journal").read_text().count("run [-2]") == 1


def test_what_on_result_raises_stops_the_run(tmp_path: Path) -> None:
    def refuse(unit: Unit, result: Any) -> None:
        raise SluiceError(f"no more after {unit.name}: {result}")

    with Dispatcher(Numbers(tmp_path / "journal"), {"a": Demand()}, refuse, 1) as dispatcher:
        dispatcher.submit([Unit("u", "a", [1])])
        with pytest.raises(SluiceError, match="no more after u"):
            dispatcher.wait(["u"])


def test_demands_of_different_size_take_turns(tmp_path: Path) -> None:
    units = [Unit(f"small{i}", "small", [i]) for i in range(3)] + [Unit(f"large{i}", "large", [i]) for i in range(3)]
    results = run(Numbers(tmp_path / "journal"), units, {"small": Demand(1), "large": Demand(2)})
    assert len(results) == 6


def test_a_stage_that_no_node_holds_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match=r"stage 'a' asks for 64 CPUs and 0 GPUs.*there are: 4 CPUs, 0 GPUs"):
        run(Numbers(tmp_path / "journal"), [Unit("u", "a", [1])], {"a": Demand(64)})
