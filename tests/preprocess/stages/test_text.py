from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.record import FIELDS, Record, check_value
from sluice.preprocess.stages.text import Text, TextParameters

Scene = Callable[..., Record]


@pytest.fixture
def text(tiny_inpaint: Path) -> Text:
    stage = Text(TextParameters(model=str(tiny_inpaint), batch_size=4))
    stage.open(tiny_inpaint)
    return stage


def encode(stage: Text, *captions: str) -> list[bytes]:
    records = [Record(str(i), values={"txt": caption}) for i, caption in enumerate(captions)]
    stage(records)
    return [record.encode("text.npy") for record in records]


def test_a_known_encoding(text: Text) -> None:
    tokenizer = text.encode.tokenizer
    vocabulary = tokenizer.get_vocab()
    words = ["<|startoftext|>", "a</w>", "cat</w>", "on</w>", "a</w>", "mat</w>", "<|endoftext|>"]
    assert tokenizer("A cat on a mat")["input_ids"] == [vocabulary[word] for word in words]


def test_it_is_the_encoders_last_hidden_state(text: Text, tiny_inpaint: Path, scene: Scene) -> None:
    from transformers import CLIPTextModel

    record = scene(1)
    text([record])
    ids = text.encode.tokenizer(record["txt"], padding="max_length", max_length=16, return_tensors="pt").input_ids
    with torch.no_grad():
        expected = CLIPTextModel.from_pretrained(tiny_inpaint / "text_encoder")(ids).last_hidden_state[0].numpy()
    assert record["text.npy"].shape == (16, 16)
    np.testing.assert_allclose(record["text.npy"], expected, rtol=2e-3, atol=1e-3)
    assert check_value(FIELDS["text.npy"], record["text.npy"], None) is None


def test_neither_neighbours_nor_order_change_a_byte(text: Text) -> None:
    captions = ["a cat", "", "empty scenery of a cat on a mat " * 4]
    together = encode(text, *captions)
    assert together == [encode(text, c)[0] for c in captions] == encode(text, *captions[::-1])[::-1]
    assert len(set(together)) == 3


def test_a_folder_without_a_vocabulary_is_refused(tiny_inpaint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "sd"
    shutil.copytree(tiny_inpaint, folder)
    for name in ("tokenizer.json", "vocab.json", "merges.txt"):
        (folder / "tokenizer" / name).unlink(missing_ok=True)
    with pytest.raises(ModelFolderError, match=r"has no vocabulary: its folder needs vocab\.json"):
        Text(TextParameters(model=str(folder))).open(folder)


def test_a_folder_without_the_subfolder_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(ModelFolderError, match="with the subfolder `tokenizer`"):
        Text(TextParameters(model=str(tiny_clip))).open(tiny_clip)
