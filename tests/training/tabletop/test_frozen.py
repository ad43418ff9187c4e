"""What latents and texts are made with, from the family's folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from sluice.infra.weights.models import find
from sluice.infra.weights.pretrained import ModelFolderError
from sluice.training.tabletop.frozen import Frozen


def test_a_part_that_lacks_weights_is_refused_and_not_filled_at_random(tmp_path: Path) -> None:
    for folder in ("vae", "text_encoder", "tokenizer"):
        shutil.copytree(find("tabletop").path / folder, tmp_path / folder)
    Frozen.load(tmp_path)
    weights = tmp_path / "text_encoder" / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if "layers.0" not in name}
    save_file(kept, weights, metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match=r"text_encoder lacks \d+ weights of a CLIPTextModelWithProjection"):
        Frozen.load(tmp_path)
