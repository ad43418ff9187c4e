"""`sluice demo`: the main job on real photographs, on this machine, with nothing to configure."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from sluice.flows.configs import find_config
from sluice.flows.dataset_commands import run_build
from sluice.preprocess.config import load_config

WEIGHTS = ("mobile-sam", "hed", "openpose-thin", "u2net-small", "open-nsfw")

# The photographs that scikit-image and scikit-learn carry, with captions of ours.
PHOTOGRAPHS = {
    "skimage/data/astronaut.png": "an astronaut in an orange suit smiles beside a flag and a model of a shuttle",
    "skimage/data/brick.png": "a brick wall in grey",
    "skimage/data/camera.png": "a man in a coat looks through a camera on a tripod, in black and white",
    "skimage/data/chelsea.png": "the face of a tabby cat, close up",
    "skimage/data/coffee.png": "a cup of coffee on a saucer with a spoon, on a wooden table",
    "skimage/data/coins.png": "rows of ancient coins on a dark ground",
    "skimage/data/grass.png": "grass from above, in grey",
    "skimage/data/gravel.png": "gravel from above, in grey",
    "skimage/data/hubble_deep_field.jpg": "galaxies and stars on a black sky",
    "skimage/data/ihc.png": "stained tissue under a microscope",
    "skimage/data/moon.png": "craters on the surface of the moon",
    "skimage/data/motorcycle_left.png": "a motorcycle parked in a garage",
    "skimage/data/retina.jpg": "the back of an eye, with its vessels",
    "skimage/data/rocket.jpg": "a rocket on its launch pad, lit in the dusk",
    "sklearn/datasets/images/china.jpg": "a pavilion with curved roofs among trees in China",
    "sklearn/datasets/images/flower.jpg": "a pink flower, close up, before green leaves",
}


def lay_out_photographs(folder: Path) -> None:
    """Put the photographs and their captions into a folder; what is there already stays."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, caption in PHOTOGRAPHS.items():
        package, _, inside = name.partition("/")
        target = folder / Path(name).name
        if not target.exists():
            shutil.copyfile(str(files(package).joinpath(inside)), target)
            target.with_suffix(".txt").write_text(caption + "\n")


def pull_weights() -> None:
    """Fetch the perception weights that the demo uses (some 150 MB, once)."""
    from sluice.flows.models import pull_with_progress

    for name in WEIGHTS:
        pull_with_progress(name, None)


def run_demo(folder: Path, console: Console) -> None:
    """Photographs to shards and a page, and what to try next."""
    lay_out_photographs(folder / "photos")
    pull_weights()
    out = folder / "data"
    run_build(load_config(find_config(Path("photos")), [], str(folder / "photos"), str(out)))
    console.print(NEXT.format(photos=folder / "photos", out=out), markup=False)


NEXT = """
Try next (each with: --config photos --source {photos} --out {out}):
  sluice dataset plan  ... --set stages.canny.low=50     what a changed threshold would run
  sluice dataset build ... --set stages.canny.low=50     only canny runs
  sluice dataset verify ...                              every byte against its digest
  sluice dataset show ... --key KEY                      one record, in full
Put pictures of your own (or a broken file) into {photos} and build again.
"""
