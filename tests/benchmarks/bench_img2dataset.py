"""Decode, resize, shard: the image stage alone against img2dataset, and against the floor that the kernels set."""

from __future__ import annotations

import os
import subprocess
import venv
from functools import partial
from pathlib import Path

from tests.benchmarks.bare import PROCESSES, SIZE, floor, image_only
from tests.benchmarks.race import Contender, compare, race
from tests.benchmarks.result import Goal, Result
from tests.benchmarks.sluice_build import sluice

PACKAGE = "img2dataset==1.47.0"
SHARD = 250
THREADS = 4
SETTINGS = {
    "input_format": "txt",
    "output_format": "webdataset",
    "image_size": SIZE,
    "resize_mode": "center_crop",
    "upscale_interpolation": "cubic",
    "encode_quality": 95,
    "processes_count": PROCESSES,
    "thread_count": THREADS,
    "number_sample_per_shard": SHARD,
}


def run(few: int = 1500, many: int = 6000, rounds: int = 3) -> list[Result]:
    """Local files, center crops of 512, JPEG quality 95, two processes."""
    program = install(Path.home() / ".cache" / "sluice" / "benchmarks")
    contenders: dict[str, Contender] = {
        "sluice": partial(sluice, image_only, SHARD),
        "img2dataset": partial(img2dataset, program),
        "floor": floor,
    }
    paces = race(contenders, few, many, rounds)
    details = compare(paces, package=PACKAGE, shard=SHARD)
    steady = {name: pace.steady for name, pace in paces.items()}
    return [
        Result("image stage / img2dataset", steady["sluice"] / steady["img2dataset"], Goal(">", 1), details),
        Result("image stage / floor of the kernels", steady["sluice"] / steady["floor"], Goal(">=", 0.9), details),
    ]


def install(folder: Path) -> Path:
    """img2dataset's program, in an environment of its own: its pins are not ours."""
    environment = folder / PACKAGE.replace("==", "-")
    program = environment / "bin" / "img2dataset"
    if not program.exists():
        venv.create(environment, clear=True, with_pip=True)
        subprocess.run([environment / "bin" / "python", "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return program


def img2dataset(program: Path, photos: Path, out: Path) -> None:
    """A data set by img2dataset from a list of file:// URLs."""
    urls = out.with_suffix(".txt")
    urls.write_text("".join(f"{path.as_uri()}\n" for path in sorted(photos.iterdir())))
    options = [f"--{name}={value}" for name, value in SETTINGS.items()]
    offline = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    command = [str(program), f"--url_list={urls}", f"--output_folder={out}", *options]
    finished = subprocess.run(command, env=offline, capture_output=True, text=True)
    if finished.returncode:
        raise RuntimeError(f"img2dataset failed:\n{finished.stderr}")
