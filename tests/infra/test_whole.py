"""A file is there whole or as it was."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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
    assert f"NoSpace: {tmp_path / 'file'} could not be written: it is larger than this process" in ran.stderr, (
        ran.stderr
    )
    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_several_may_write_one_file_at_a_time(tmp_path: Path) -> None:
    """Each of these would take away, or cut, another's file of a fixed name."""
    contents = [bytes([number]) * 3_000_000 for number in range(4)]
    with ThreadPoolExecutor(4) as writers:
        for _ in range(5):
            list(writers.map(lambda content: write_whole(tmp_path / "file", content), contents))
            assert (tmp_path / "file").read_bytes() in contents
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
