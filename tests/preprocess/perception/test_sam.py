import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from sluice.preprocess.perception import sam
from tests.preprocess.tiny_sam import random_mobile_sam, random_sam, save


@pytest.mark.parametrize("name", ["tiny.safetensors", "tiny.pt"])
@pytest.mark.parametrize("make", [random_sam, random_mobile_sam])
def test_a_state_dict_is_enough(make, name: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    made = make()
    loaded = sam.load(save(made, tmp_path / name), image_size=128)
    image = torch.randn(2, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.image_encoder(image), made.image_encoder(image), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(loaded.prompt_encoder.get_dense_pe(), made.prompt_encoder.get_dense_pe())
    assert not any(p.requires_grad for p in loaded.parameters())


@pytest.mark.parametrize("size", ["vit_b", "vit_l", "vit_h"])
def test_the_published_sizes_are_read_from_their_shapes(size: str) -> None:
    with sam.standing_in():
        from segment_anything import sam_model_registry
    with torch.device("meta"):
        published = sam_model_registry[size]()
    found = sam.from_state(published.state_dict())
    for ours, theirs in zip(found.image_encoder.blocks, published.image_encoder.blocks, strict=True):
        assert ours.window_size == theirs.window_size
        assert ours.attn.num_heads == theirs.attn.num_heads
    assert found.image_encoder.img_size == 1024
    assert found.mask_decoder.transformer.layers[0].self_attn.num_heads == 8


def test_a_folder_with_one_file_will_do(tmp_path: Path) -> None:
    save(random_sam(), tmp_path / "a.safetensors")
    assert sam.load(tmp_path).image_encoder.img_size == 128
    save(random_sam(), tmp_path / "b.pt")
    with pytest.raises(sam.SamError, match=r"one SAM.*a\.safetensors, b\.pt"):
        sam.load(tmp_path)


def test_what_is_no_sam_is_refused_in_words(tmp_path: Path) -> None:
    torch.save({"vision_encoder.layers.0.weight": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(sam.SamError, match=r"other\.pt does not hold a SAM"):
        sam.load(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no pickle")
    with pytest.raises(sam.SamError, match=r"text\.pt is refused: it is no checkpoint"):
        sam.load(tmp_path / "text.pt")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(sam.SamError, match=r"text\.safetensors is refused"):
        sam.load(tmp_path / "text.safetensors")
    state = random_sam().state_dict()
    del state["mask_decoder.iou_token.weight"]
    with pytest.raises(sam.SamError, match="iou_token"):
        sam.from_state(state)


def test_a_vit_has_its_own_image_size() -> None:
    with pytest.raises(sam.SamError, match="128"):
        sam.from_state(random_sam().state_dict(), image_size=256)


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="the real torchvision is installed")
def test_no_torchvision_is_left_behind() -> None:
    assert not any(name.split(".")[0] == "torchvision" for name in sys.modules)
    with sam.standing_in():
        assert "torchvision" in sys.modules
    assert find_spec("torchvision") is None
