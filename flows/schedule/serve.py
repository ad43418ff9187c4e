"""`sluice serve`: a timetable that this process keeps."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from sluice.flows.prefect_server import prefect_server
from sluice.flows.schedule.child import END_SECONDS
from sluice.flows.schedule.timetable import read_timetable
from sluice.infra.interrupts import interrupt, pressed
from sluice.infra.lock import alone_in
from sluice.infra.logins import without_logins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.deployments.runner import RunnerDeployment

SAID = {"PREFECT_LOGGING_LEVEL": "INFO", "PREFECT_LOGGING_TO_API_ENABLED": "true"}
"""What runs say is kept by the server, whose page shows it."""

LAST_S = END_SECONDS + 30
"""What the end of a Ctrl-C may take; later nothing more comes of waiting, as of a database that stays locked."""

LOOK_SECONDS = 5.0
"""How late something may begin."""
SERVING = Path("~/.cache/sluice/serve")
"""Held while a process serves: whose runs are going on is then certain."""
OTHER_SERVES = (
    "another `sluice serve` keeps a timetable for this user on this machine: stop it, or put all entries into one file"
)


def serve(file: Path, console: Console) -> None:
    """Run what is due until a Ctrl-C or SIGTERM, which end what runs, too.

    Of each entry that was cut off, or due meanwhile, and is what it was then, one run begins with the next start.
    Raises Occupied where another process serves, ServerOfOthers, ConfigError and what `deployments` raises.
    """
    table = read_timetable(file)
    for name, value in SAID.items():
        os.environ.setdefault(name, value)
    with alone_in(SERVING.expanduser(), OTHER_SERVES), prefect_server(services=True):
        from prefect.settings import PREFECT_API_URL

        from sluice.flows.schedule.backlog import take_up
        from sluice.flows.schedule.deployments import deployments, free_places, tag_of, take_back
        from sluice.flows.schedule.failures import notify, webhook

        url = None if table.notify is None else webhook(table.notify)
        made, tag = deployments(table, file, None), tag_of(file, None)
        take_back(made, tag)
        again = take_up(made)
        free_places(made)
        notify(tag, url)
        for entry in made:
            why = f"; {again[entry.name]}, and begins now" if entry.name in again else ""
            console.print(f"{entry.name}: {entry.description}{why}")
        page = without_logins((PREFECT_API_URL.value() or "").removesuffix("/api"))
        console.print(f"{page} shows runs; Ctrl-C ends")
        _run_what_is_due(made)
        console.print("Ended; what ran ends within two minutes, and goes on from what it kept with the next start.")


def _run_what_is_due(made: Sequence[RunnerDeployment]) -> None:
    """Until a Ctrl-C or SIGTERM, which end what runs, too."""
    from prefect.runner import Runner

    from sluice.flows.schedule.backlog import drop_changed

    # Nothing begins before it is due: else the end of a run would overlap the next one.
    runner = Runner(pause_on_shutdown=False, limit=None, query_seconds=LOOK_SECONDS, prefetch_seconds=0)
    # Prefect's own begins to stop the runner, and exits without waiting for it.
    runner.handle_sigterm = lambda *_, **__: interrupt()  # type: ignore[method-assign]
    # Which has a traceback for each connection to a run that the end cuts.
    logging.getLogger("asyncio").addFilter(lambda _: not pressed())
    for entry in made:
        runner.add_deployment(entry)
    drop_changed(made)  # what the server scheduled while they were put there
    threading.Thread(target=_end_for_certain, daemon=True).start()
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def _end_for_certain() -> None:
    """End where Prefect's own end does not: commands end with this process, and its next start notes what ran."""
    while not pressed():
        time.sleep(1)
    time.sleep(LAST_S)
    print(
        f"Ended after {LAST_S:.0f} seconds, although Prefect had not; what ran goes on with the next start.",
        file=sys.stderr,
    )
    os._exit(1)
