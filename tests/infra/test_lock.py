from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sluice.infra.lock import LOCK, NoFolder, Occupied, alone_in, is_held

HOLDER = """
import sys
from pathlib import Path
from sluice.infra.lock import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_held(tmp_path / "run")
        told = r"run is being written by another process .* an --out of its own"
        with pytest.raises(Occupied, match=told), alone_in(tmp_path / "run"):
            pytest.fail("two at once")
        holder.kill()
    with alone_in(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()
    assert not is_held(tmp_path / "run")


def test_looking_makes_nothing(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "none")
    assert not is_held(tmp_path)
    assert not (tmp_path / LOCK).exists()
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("named", ["file", "file/in"])
def test_a_file_is_no_folder(named: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(NoFolder, match="is to be a folder, and a file is in its way"), alone_in(tmp_path / named):
        pytest.fail("held")
    assert (tmp_path / "file").read_text() == "mine"
