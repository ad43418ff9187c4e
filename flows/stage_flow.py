"""The Prefect flow of units: a task for each kind and wave of them, and one for what comes of all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sluice.infra.execution.dispatch import Dispatcher
from sluice.infra.execution.unit import Unit

T = TypeVar("T")
WAVE = 1000


def waves_of(units: Sequence[Unit]) -> dict[str, list[str]]:
    """The names of the units by stage and wave of 1,000: Prefect's tasks are these, never images."""
    waves: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for unit in units:
        waves[f"{unit.kind}-{counts[unit.kind] // WAVE}"].append(unit.name)
        counts[unit.kind] += 1
    return waves


def run_stage_flow(of: str, name: str, dispatcher: Dispatcher, units: Sequence[Unit], finish: Callable[[], T]) -> T:
    """Run a flow `of` these units, which the dispatcher has; a task ends when its units have. Returns `finish()`."""
    from prefect import flow, task
    from prefect.cache_policies import NO_CACHE
    from prefect.task_runners import ThreadPoolTaskRunner

    waves = waves_of(units)
    threads: Any = ThreadPoolTaskRunner(max_workers=max(len(waves), 1))

    @task(cache_policy=NO_CACHE, persist_result=False)
    def stage(wave: str) -> None:
        dispatcher.wait(waves[wave])

    @task(name="version", cache_policy=NO_CACHE, persist_result=False)
    def version() -> T:
        return finish()

    @flow(name=of, flow_run_name=name, persist_result=False, task_runner=threads)
    def dataset() -> T:
        try:
            for future in [stage.with_options(task_run_name=wave).submit(wave) for wave in waves]:
                future.result()
            return version()
        except BaseException as error:  # Ctrl-C too: Prefect waits for its tasks, and they for the dispatcher
            dispatcher.stop(error)
            raise

    return dataset()
