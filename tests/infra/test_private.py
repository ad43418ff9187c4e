"""Secrets are made whole, once, and read as text."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sluice.infra.private import keep_secret, read_private
from sluice.infra.settings import ConfigError

FULL = """
import resource, signal, sys
from pathlib import Path
from sluice.infra.private import keep_secret
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
keep_secret(Path(sys.argv[1]))
"""


def test_where_the_disk_is_full_no_cut_secret_stays(tmp_path: Path) -> None:
    ran = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "token")], capture_output=True, text=True)
    assert "File too large" in ran.stderr, ran.stderr
    assert not [*tmp_path.iterdir()]


def test_all_who_want_a_secret_at_a_time_find_the_same(tmp_path: Path) -> None:
    def found(file: Path) -> str:
        keep_secret(file)
        return read_private(file, "a token", "make it")

    with ThreadPoolExecutor(8) as threads:
        for number in range(20):
            secrets = set(threads.map(found, [tmp_path / f"{number}"] * 8))
            assert [len(secret) for secret in secrets] == [64]
    assert len([*tmp_path.iterdir()]) == 20


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"\xff\xfe")
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(ConfigError, match=r"token, the token, is no text in UTF-8: make another"):
        read_private(tmp_path / "token", "the token", "make another")
