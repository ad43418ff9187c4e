"""What an installed Sluice holds beside its code."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHIPPED = ("flows", "infra", "models", "preprocess", "training", "inference", "sluice")


def test_a_wheel_holds_every_file_that_is_tracked_beside_the_tests(tmp_path: Path) -> None:
    listed = subprocess.run(["git", "ls-files", *SHIPPED], cwd=ROOT, check=True, capture_output=True, text=True)
    for name in (*listed.stdout.split("\n")[:-1], "pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / "source" / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "source")], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        name if name.startswith("sluice/") else f"sluice/{name}"
        for name in listed.stdout.split("\n")[:-1]
        if name != "infra/setup.sh"
    }
    assert sorted(wanted - held) == []
