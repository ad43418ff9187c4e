"""`python -m tests.models.ship NETWORKS NAME...`: trained networks put where they ship, with row and card.

In fp16 as the rest of the family, without paths of the machine that trained them.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from sluice.flows.evidence.networks import read_evidence
from sluice.flows.tabletop.card import write_card
from sluice.flows.tabletop.figure import Figure
from sluice.infra.digests import files_in, sha256_of

ROOT = Path(__file__).parents[2]
FAMILY, CATALOGUE = ROOT / "models" / "tabletop", ROOT / "infra" / "weights" / "catalogue.yaml"
CONTROLS = {"canny": "Canny edges", "hed": "HED edges", "depth": "depth", "pose": "poses", "parts": "a face's parts"}
RECIPES = {
    "controlnet": "a plain ControlNet for tabletop",
    "micontrolnet-1": "MIControlNet's first stage for tabletop",
    "micontrolnet-2": "MIControlNet for tabletop",
    "cnc-joint": "Compose and Conquer's fusers for tabletop, finetuned together",
}


def ship(networks: Path, name: str) -> None:
    """Put `networks/NAME/model` into the family, and its row into the catalogue."""
    folder = FAMILY / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(networks / name / "model", folder)
    for file in folder.rglob("*.safetensors"):
        halves = {key: tensor.half() for key, tensor in load_file(file).items()}
        file.unlink()  # as it was written, none but its owner may read it
        save_file(halves, file, metadata={"format": "pt"})
    for file in files_in(folder, ("*.json", "*.md")):
        file.write_text(without_places(file.read_text(), networks.parent))
    CATALOGUE.write_text(with_row(CATALOGUE.read_text(), name, folder))


def without_places(text: str, out: Path) -> str:
    """A text in which OUT of `sluice train evidence` is `evidence`, and a checkout's files are as in a checkout."""
    text = re.sub(r"[^\s\"]*/(?=infra/deepspeed/)", "", text.replace(str(out), "evidence"))
    return re.sub(r"[^\s\"]*/bin/sluice", "sluice", text)


def with_row(catalogue: str, name: str, folder: Path) -> str:
    """A catalogue with the row of a network, in place of an earlier one."""
    own = read_evidence().networks[name]
    control = CONTROLS.get(own.set.get("control", ""))
    what = RECIPES[own.recipe] + (", on rebalanced data" if own.set.get("rebalanced") else "")
    row = {
        "kind": "control",
        "what": what + (f", by {control}" if control else ""),
        "network": "sluice-fusers" if own.recipe.startswith("cnc") else "diffusers-controlnet",
        "form": "folder",
        "origin": f"{{shipped: models/tabletop/{name}}}",
        "sha256": sha256_of(folder),
        "size": sum(file.stat().st_size for file in files_in(folder) if file.suffix == ".safetensors"),
        "licence": "Apache-2.0",
        "needs": "diffusers",
    }
    without = re.sub(rf"\n  tabletop/{name}:\n(    .*\n)+", "", catalogue)
    return without + f"\n  tabletop/{name}:\n" + "".join(f"    {key}: {value}\n" for key, value in row.items())


def main(networks: str, *names: str) -> None:
    """Ship some, and write the family's card anew."""
    for name in names:
        ship(Path(networks).absolute(), name)
    figures = [Figure(**figure) for figure in json.loads((FAMILY / "figures.json").read_text())]
    write_card(FAMILY, figures)


if __name__ == "__main__":
    main(*sys.argv[1:])
