"""Commands of Sluice in a home of their own with secrets planted, and what of them others of the machine could see."""

from __future__ import annotations

import base64
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil

from tests.flows.runs import SLUICE, command_line

LOOK_SECONDS = 0.2


@dataclass
class Watched:
    """A folder in which commands run; the words planted; all that was said, in command lines, and listened at."""

    folder: Path
    words: Mapping[str, str]
    environment: Mapping[str, str]
    said: str = ""
    commands: set[str] = field(default_factory=set)
    listening: set[tuple[str, str]] = field(default_factory=set)

    def run(self, *words: str | Path) -> None:
        """AssertionError where the command fails."""
        log = self.folder / "said"
        with log.open("w") as said:
            command = subprocess.Popen(
                [SLUICE, *words], stdout=said, stderr=subprocess.STDOUT, env=dict(self.environment)
            )
            with self._watching(command.pid):
                code = command.wait()
        self.said += log.read_text()
        assert code == 0, self.said

    def named_in(self, data: bytes) -> list[str]:
        """Which secrets are in it: as they are, or as a URL or base64 writes them."""
        return [name for name, word in self.words.items() if any(form in data for form in forms(word))]

    def files_with_secrets(self) -> dict[str, list[str]]:
        """Every file under the folder that holds one: where, and which."""
        found = {}
        for file in self.folder.rglob("*"):
            if file.is_file() and (named := self.named_in(file.read_bytes())):
                found[str(file.relative_to(self.folder))] = named
        return found

    @contextmanager
    def _watching(self, command: int) -> Iterator[None]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOK_SECONDS):
                self.commands.update(command_line(process) for process in psutil.process_iter())
                with suppress(psutil.Error):
                    self.listening.update(listened_at(psutil.Process(command)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        yield
        over.set()
        watcher.join()


def listened_at(first: psutil.Process) -> Iterator[tuple[str, str]]:
    """The name of each process and the address of each port at which it, or a process that it started, listens."""
    for process in (first, *first.children(recursive=True)):
        with suppress(psutil.Error):
            for connection in process.net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    yield process.name(), connection.laddr.ip


def forms(word: str) -> list[bytes]:
    """base64 of a longer text has one of three inside, as the word begins at its first, second or third byte."""
    whole = [base64.b64encode(b"." * before + word.encode())[4:-4] for before in range(3)]
    return [word.encode(), quote(word, safe="").encode(), *whole]
