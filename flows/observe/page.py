"""A run's page while it goes on: written anew now and then, and once more with what ended it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import TracebackType

from sluice.infra.page.blocks import UNFINISHED, Notice, Page
from sluice.infra.page.render import render
from sluice.infra.page.text import time_text
from sluice.infra.storage import Storage

log = logging.getLogger("sluice.observe")

REFRESH_SECONDS = 30.0
"""How often a browser looks at it again, and how often it is written at most."""
SHARE = 0.02
"""Of a run's time that may go into its page."""
HURRY_SECONDS = 2.0
"""How long a page that is being made keeps a run that was told to end."""
GOES_ON = "What is done is kept: the same command goes on from there."


class LivePage:
    """The page of a run at `path`, which `page` makes: anew while it runs, and first of all why it failed.

    A run that is over before one is due leaves none. What goes wrong with a page is logged, and no more.
    """

    def __init__(self, place: Storage, path: str, page: Callable[[], Page]) -> None:
        self.place, self.path, self.page = place, path, page
        self.last: Page | None = None
        self.ended = threading.Event()
        self.writer = threading.Thread(target=self._keep_writing, name="sluice-page", daemon=True)

    def __enter__(self) -> None:
        self.writer.start()

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self.ended.set()
        hurry = error is not None and is_interrupt(error)
        self.writer.join(HURRY_SECONDS if hurry else None)
        if self.writer.is_alive():
            return
        with self._logged():
            if error is not None and not hurry:
                self.last = self.page()
            if self.last is not None:
                self._write(Notice("done", f"{_now()}.", "good") if error is None else why(error))
            elif error is None and self.place.head(self.path) is not None:
                self.place.delete([self.path])  # of a run that failed before this one

    def _keep_writing(self) -> None:
        pause = REFRESH_SECONDS
        while not self.ended.wait(pause):
            began = time.monotonic()
            with self._logged():
                self.last = self.page()
                self._write(running(), REFRESH_SECONDS)
            pause = max(REFRESH_SECONDS, (time.monotonic() - began) / SHARE)

    def _write(self, notice: Notice, refresh: float | None = None) -> None:
        assert self.last is not None
        before = [own for own in self.last.notices if not (notice.tone == "good" and own.mark == UNFINISHED)]
        shown = replace(self.last, notices=[notice, *before], refresh=refresh)
        self.place.write(self.path, render(shown))

    @contextmanager
    def _logged(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a run is worth more than its page
            log.warning("the page of this run, %s, could not be written: %s", self.path, error)


def running() -> Notice:
    """That a run goes on."""
    return Notice("running", f"as of {_now()}; this page is written anew while it runs.", "plain")


def why(error: BaseException) -> Notice:
    """What ended a run, and what to do."""
    if is_interrupt(error):
        return Notice("interrupted", f"{_now()}. {GOES_ON}")
    return Notice("failed", f"{_now()}: {error or type(error).__name__}. {GOES_ON}", "bad")


def is_interrupt(error: BaseException) -> bool:
    """Whether a run was told to end."""
    return isinstance(error, KeyboardInterrupt | SystemExit)


def _now() -> str:
    return time_text(datetime.now().astimezone())
