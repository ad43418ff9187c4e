"""The command line as a user meets it: what is served, helped with, mistyped, and shown with --debug."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sluice.flows.cli import main
from sluice.flows.observe.log import RUN_ID
from sluice.infra.errors import SluiceError
from tests.flows.command_line import Sluice, assert_paragraph


def test_a_file_that_cannot_be_read_is_said_in_words(sluice: Sluice) -> None:
    said = sluice("dataset", "plan", "--config", f"{'x' * 300}.yaml")
    assert_paragraph(said, 2, "x.yaml could not be read or written: File name too long")


@pytest.mark.parametrize(
    "words", [["dataset", "bild"], ["dataset", "build", "--limt", "1"], ["dataset", "build", "--limit", "0"]]
)
def test_a_mistyped_command_is_the_users_mistake(sluice: Sluice, words: list[str]) -> None:
    said = sluice(*words)
    assert said.code == 2
    assert re.match(r"Usage: .*sluice", said.error)


@pytest.mark.usefixtures("signals")
@pytest.mark.parametrize("place", [0, 2, 4])
def test_debug_shows_the_traceback_wherever_it_stands(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    monkeypatch.setenv("SLUICE_DEBUG", "")
    words = ["dataset", "plan", "--config", "none.yaml"]
    monkeypatch.setattr(sys, "argv", ["sluice", *words[:place], "--debug", *words[place:]])
    with pytest.raises(SluiceError, match="there is no configuration file"):
        main()


CRASHES = """
import ctypes, threading, time
from sluice.flows.cli import command_line

libc = ctypes.CDLL(None)
libc.__cxa_atexit(ctypes.cast(libc.abort, ctypes.c_void_p), None, None)
threading.Thread(target=lambda: (time.sleep(1), print("a thread's last words"))).start()
command_line()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["dataset", "plan", "--config", "none.yaml"], 2)])
def test_a_library_that_crashes_as_it_is_torn_down_does_not_change_how_a_command_ends(
    words: list[str], code: int
) -> None:
    ran = subprocess.run([sys.executable, "-c", CRASHES, *words], capture_output=True, text=True)
    assert ran.returncode == code, ran.stderr
    assert ran.stdout.endswith("a thread's last words\n")


@pytest.mark.parametrize(("closed", "code"), [(">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), ("--nosuch 2>&-", 2)])
def test_who_closes_an_output_has_the_same_end(closed: str, code: int) -> None:
    asked = f"{Path(sys.executable).with_name('sluice')} models list {closed}"
    assert subprocess.run(["sh", "-c", asked], capture_output=True).returncode == code


def test_what_is_said_to_a_full_disk_is_no_success() -> None:
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run([Path(sys.executable).with_name("sluice"), "--version"], stdout=full, stderr=full)
    assert ran.returncode != 0


def test_help_needs_none_of_the_heavy_libraries() -> None:
    heavy = {"torch", "ray", "prefect", "pyarrow", "boto3", "transformers", "cv2", "numpy"}
    code = f"""
import sys
from sluice.flows.cli import main
try:
    main()
finally:
    print(sorted(sys.modules.keys() & {heavy}), file=sys.stderr)
"""
    for words in (["--help"], ["dataset", "--help"], ["dataset", "build", "--help"]):
        ran = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert (ran.returncode, ran.stderr.strip()) == (0, "[]")
        assert "Usage:" in ran.stdout
        assert "completion" not in ran.stdout


def test_help_names_every_command(sluice: Sluice) -> None:
    for words, names in (
        (["--help"], ["dataset", "demo", "models", "train"]),
        (["dataset", "--help"], ["plan", "build", "export", "verify", "diff", "show"]),
        (["models", "--help"], ["list", "show", "pull"]),
        (["train", "--help"], ["tabletop"]),
    ):
        said = sluice(*words).out
        assert all(re.search(rf"^\W*{name} +\w", said, re.MULTILINE) for name in names), said


def test_version(sluice: Sluice) -> None:
    assert re.fullmatch(r"sluice \d+\.\d+\.\d+\n", sluice("--version").out)


def test_what_is_served_is_watched_and_not_who_serves(
    sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_LOG", "runs.jsonl")
    monkeypatch.setenv("SLUICE_METRICS", str(port))
    monkeypatch.delenv(RUN_ID, raising=False)
    assert "gone.yaml" in sluice("serve", "gone.yaml").error
    assert os.environ["SLUICE_LOG"] == str(tmp_path / "runs.jsonl"), "commands run elsewhere"
    assert RUN_ID not in os.environ, "each command is a run of its own"
    assert not (tmp_path / "runs.jsonl").exists()
    socket.create_server(("127.0.0.1", port)).close()
    assert sluice("--metrics", "many", "serve", "gone.yaml").error.startswith("Error: --metrics many: give PORT")
