from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from safetensors.torch import load_file, save_file
from transformers import AutoModel, CLIPTokenizer, CLIPVisionConfig, CLIPVisionModelWithProjection

from sluice.infra.weights.pretrained import ModelFolderError, load, load_network
from sluice.training.tabletop.vocabulary import make_tokenizer
from tests.infra.weights.test_pickles import Evil


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config = CLIPVisionConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=8
    )
    CLIPVisionModelWithProjection(config).save_pretrained(tmp_path)
    return tmp_path


def drop(weights: Path, name: str) -> None:
    kept = {key: value for key, value in load_file(weights).items() if key != name}
    save_file(kept, weights, metadata={"format": "pt"})


def test_a_whole_folder_loads_in_evaluation_mode(folder: Path) -> None:
    assert not load_network(CLIPVisionModelWithProjection, folder).training


def test_a_missing_weight_is_an_error_unless_unused(folder: Path) -> None:
    drop(folder / "model.safetensors", "visual_projection.weight")
    with pytest.raises(ModelFolderError, match=r"lacks 1 weights .* \(first: visual_projection.weight\)"):
        load_network(CLIPVisionModelWithProjection, folder)
    load_network(CLIPVisionModelWithProjection, folder, unused=r"^visual_projection\.")


def test_a_missing_weight_of_a_diffusers_model_is_an_error(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    AutoencoderKL(block_out_channels=(4,), norm_num_groups=2).save_pretrained(tmp_path / "vae")
    drop(tmp_path / "vae" / "diffusion_pytorch_model.safetensors", "quant_conv.weight")
    with pytest.raises(ModelFolderError, match=r"quant_conv\.weight"):
        load_network(AutoencoderKL, tmp_path, subfolder="vae")


def test_the_names_of_published_weights_are_understood(tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    vae = AutoencoderKL(block_out_channels=(4,), norm_num_groups=2)
    vae.save_pretrained(tmp_path / "vae")
    weights = tmp_path / "vae" / "diffusion_pytorch_model.safetensors"
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    renamed = load_file(weights)
    for now, then in old.items():
        renamed = {name.replace(now, then): value for name, value in renamed.items()}
    save_file(renamed, weights, metadata={"format": "pt"})
    loaded = load_network(AutoencoderKL, tmp_path, subfolder="vae").state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in vae.state_dict().items())


def test_a_truncated_file_is_an_error_that_names_the_folder(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelFolderError) as caught:
        load_network(CLIPVisionModelWithProjection, folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="which is not a folder"):
        load_network(CLIPVisionModelWithProjection, tmp_path / "none")


def test_a_tokenizer_without_a_vocabulary_is_none(tmp_path: Path) -> None:
    make_tokenizer(["a", "red", "star"]).save_pretrained(tmp_path / "whole")
    assert len(load(CLIPTokenizer, tmp_path / "whole")) > 2
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFolderError, match=r"tokenizer in .*empty has no vocabulary"):
        load(CLIPTokenizer, tmp_path / "empty")


@pytest.mark.parametrize("kind", ["transformers", "diffusers"])
def test_a_pickle_among_the_weights_runs_nothing(folder: Path, tmp_path: Path, kind: str) -> None:
    from diffusers import AutoencoderKL

    loader, weights = (CLIPVisionModelWithProjection, "model.safetensors")
    name = "pytorch_model.bin"
    if kind == "diffusers":
        AutoencoderKL(block_out_channels=(4,), norm_num_groups=2).save_pretrained(folder)
        loader, weights, name = AutoencoderKL, "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"
    (folder / weights).unlink()
    torch.save({"visual_projection.weight": Evil(tmp_path / "ran")}, folder / name)
    with pytest.raises(ModelFolderError, match="does not hold a"):
        load_network(loader, folder)
    assert not (tmp_path / "ran").exists()


def test_code_beside_the_weights_is_not_run_and_nobody_is_asked_to(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Own: pass\nclass OwnConfig: pass\n")
    config = json.loads((folder / "config.json").read_text())
    own = {"auto_map": {"AutoModel": "own.Own", "AutoConfig": "own.OwnConfig"}, "model_type": "own"}
    (folder / "config.json").write_text(json.dumps(config | own))
    with pytest.raises(ModelFolderError, match="contains custom code"):
        load(AutoModel, folder)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": ["own", "Own"], "unet": ["own", "Own"]}))
    with pytest.raises(ModelFolderError):
        load(DiffusionPipeline, folder)
    assert "run the custom code" not in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()
