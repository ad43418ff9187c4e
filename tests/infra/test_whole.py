"""A file is there whole or as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sluice.infra.whole import write_whole

LIMITED = """
import resource, signal, sys
from pathlib import Path
from sluice.infra.whole import write_whole
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
write_whole(Path(sys.argv[1]), b"x" * 5000)
"""


def test_text_and_bytes_are_written_and_nothing_else_is_there(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep/er/file", "née")
    assert (tmp_path / "deep/er/file").read_text() == "née"
    write_whole(tmp_path / "deep/er/file", memoryview(b"\x00"))
    assert (tmp_path / "deep/er/file").read_bytes() == b"\x00"
    assert [path.name for path in (tmp_path / "deep/er").iterdir()] == ["file"]


def test_what_was_there_stays_where_the_disk_is_full(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", "before")
    ran = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path / "file")], capture_output=True, text=True)
    assert f"OSError: [Errno 27] File too large: '{tmp_path / 'file'}'" in ran.stderr, ran.stderr
    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
