from __future__ import annotations

import importlib.metadata
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.infra import code
from sluice.infra.code import code_version

VERSION = importlib.metadata.version("sluice-diffusion")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Code that lies in a folder of its own."""
    monkeypatch.setattr(code, "CHECKOUT", tmp_path)
    code_version.cache_clear()
    yield tmp_path
    code_version.cache_clear()


def git(folder: Path, *words: str) -> str:
    own = ["-c", "user.name=a", "-c", "user.email=a@b"]
    return subprocess.run(["git", "-C", folder, *own, *words], check=True, capture_output=True, text=True).stdout


def test_a_checkout_is_told_by_its_commit_and_by_changes(checkout: Path) -> None:
    git(checkout, "init", "-q")
    (checkout / "file").write_text("one")
    git(checkout, "add", "file")
    git(checkout, "commit", "-qm", "one")
    git(checkout, "tag", "v9")
    commit = git(checkout, "rev-parse", "HEAD")[:12]
    assert code_version() == f"{VERSION}, commit {commit}"
    (checkout / "file").write_text("two")
    code_version.cache_clear()
    assert code_version() == f"{VERSION}, commit {commit}, changed"


def test_a_job_is_told_which_code_travelled(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(checkout, "init", "-q")
    monkeypatch.setenv("SLUICE_CODE", "7.0, commit abc")
    assert code_version() == "7.0, commit abc"


def test_what_is_installed_or_no_whole_checkout_is_told_by_its_version(checkout: Path) -> None:
    assert code_version() == VERSION
    (checkout / ".git").mkdir()
    code_version.cache_clear()
    assert code_version() == VERSION
