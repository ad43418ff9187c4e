"""What travels with a job: the package as it is here, and the files that the command names."""

from __future__ import annotations

import importlib.metadata
import shutil
from collections.abc import Mapping
from pathlib import Path

import sluice
from sluice.flows.submit import run
from sluice.infra.weights.models import ROOT

PACKAGES = ("flows", "preprocess", "training", "inference", "infra", "models")
RUN = "run.py"
LEFT = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


def pack(folder: Path, files: Mapping[Path, str]) -> None:
    """Fill a folder with `sluice`, what says its entry points, what runs a command, and files where they are to be."""
    package = folder / "sluice"
    package.mkdir(parents=True)
    shutil.copyfile(sluice.__file__, package / "__init__.py")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, package / name, ignore=LEFT)
    _copy_metadata(folder)
    shutil.copyfile(run.__file__, folder / RUN)
    for file, there in files.items():
        target = folder / there
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)


def _copy_metadata(folder: Path) -> None:
    """So that stages and sources that are new here are found there, too."""
    distribution = importlib.metadata.distribution("sluice-diffusion")
    target = folder / f"sluice_diffusion-{distribution.version}.dist-info"
    target.mkdir(parents=True)
    for name in ("METADATA", "entry_points.txt"):
        (target / name).write_text(distribution.read_text(name) or "")
