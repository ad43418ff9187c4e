"""`sluice demo`: the main job on photographs and on rendered scenes, on this machine, with nothing to configure."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from sluice.flows.configs import find_config
from sluice.flows.dataset.build import run_build
from sluice.flows.dataset.show import show_dataset
from sluice.preprocess.planning.config import load_config, make_stages
from sluice.preprocess.planning.resolve import cannot_run

SCENES = 16
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
    """Fetch the perception weights that the demo uses (some 150 MB, once). Raises NotPulled for what cannot be had."""
    from sluice.flows.models import pull_all

    for _ in pull_all(WEIGHTS):
        pass


def pull_what_there_is(console: Console) -> None:
    """The same, but go on without what cannot be had, and say so."""
    from sluice.flows.models import NotPulled

    try:
        pull_weights()
    except NotPulled as error:
        console.print(f"{error}\n{WITHOUT_WEIGHTS}\n", style="bold yellow", markup=False, highlight=False)


def stages_to_leave_out() -> list[str]:
    """The stages of `photos` that have neither weights here nor anything to run in their place."""
    return [stage.name for stage in make_stages(load_config(find_config(Path("photos")))) if cannot_run(stage)]


def write_config(folder: Path, without: Sequence[str] = ()) -> Path:
    """The ready configuration `photos`, with the demo's folders, as a file to play with.

    One `without` some of the stages has a name of its own, so that the whole one comes back with the weights.
    """
    values = _ready("photos", folder)
    values["source"] = {"kind": "folder", "uri": str(folder / "photos")}
    for stage in without:
        del values["stages"][stage]
    return _write(values, folder / f"{'-without-'.join(['photos', *without])}.yaml")


def write_tabletop_config(folder: Path) -> Path:
    """The ready configuration `tabletop-seen`, of a few scenes, likewise."""
    values = _ready("tabletop-seen", folder)
    values["source"]["uri"] = str(SCENES)
    return _write(values, folder / "tabletop.yaml")


def _ready(name: str, folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load(find_config(Path(name)).read_text())
    # Two shards of sixteen pictures, so that both of a laptop's workers have one.
    return {**values, "out": str(folder / "data"), "shard_size": 8}


def _write(values: dict[str, Any], path: Path) -> Path:
    if not path.exists():
        path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path


def run_demo(folder: Path, console: Console) -> None:
    """Photographs to shards and a page, rendered scenes likewise, and what to try next."""
    lay_out_photographs(folder / "photos")
    pull_what_there_is(console)
    without = stages_to_leave_out()
    if without:
        left_out = f"Left out, for want of weights and of anything to run in their place: {', '.join(without)}."
        console.print(left_out, style="bold yellow", markup=False, highlight=False)
    photographs, scenes = write_config(folder, without), write_tabletop_config(folder)
    page, scenes_page = (_build_and_show(path, console) for path in (photographs, scenes))
    command = os.path.relpath(sys.argv[0]) if Path(sys.argv[0]).name == "sluice" else "sluice"
    told = NEXT.format(
        photos=folder / "photos", page=page, scenes_page=scenes_page, command=command, config=photographs, scenes=scenes
    )
    console.print(told, markup=False, highlight=False)


def _build_and_show(path: Path, console: Console) -> str:
    config = load_config(path)
    run_build(config, console)
    return os.path.relpath(show_dataset(config, "latest", None, None))


WITHOUT_WEIGHTS = (
    "The demo goes on without them: where there is a classical fall-back it runs, and is announced. To have them, "
    "bring their files here, run `sluice models pull NAME --from FOLDER`, and the demo again."
)
NEXT = """
The page of it all: {page}
The page of the rendered scenes, seen by the networks that ship with Sluice: {scenes_page}

Try next:
  {command} dataset plan -c {config} --set stages.canny.low=50    what another threshold would run, and why
  {command} dataset build -c {config} --set stages.canny.low=50   only canny runs; nothing else is touched
  {command} dataset verify -c {config}                            every byte against its digest
  {command} dataset show -c {config} --key KEY                    one record, in full size
Put pictures of your own, or a broken file, into {photos} and build again.
{scenes} is what the rendered scenes were built with; `{command} models list` shows who sees them.
"""
