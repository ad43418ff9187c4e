"""Boxes of what words name, against transformers' own reading of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, GroundingDinoForObjectDetection, GroundingDinoProcessor

from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.perception.grounding_dino import SAME, SURE, GroundingDino
from sluice.preprocess.perception.nms import nms
from sluice.preprocess.record import Array
from tests.preprocess.tiny_grounding_dino import save_grounding_dino


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_grounding_dino(tmp_path_factory.mktemp("grounding-dino"))


@pytest.fixture(scope="module")
def photograph() -> Array:
    return np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8)


def test_boxes_are_those_that_transformers_reads(folder: Path, photograph: Array) -> None:
    ours = GroundingDino(folder, torch.device("cpu"))
    network = GroundingDinoForObjectDetection.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = {
        **ours.processor(images=photograph, input_data_format="channels_last", return_tensors="pt"),
        **tokenizer("cat.", return_tensors="pt"),
    }
    with torch.inference_mode():
        seen = network(**inputs)
    reader = GroundingDinoProcessor(ours.processor, tokenizer)
    (read,) = reader.post_process_grounded_object_detection(
        seen, inputs["input_ids"], threshold=SURE, target_sizes=[photograph.shape[:2]]
    )
    kept = read["boxes"][nms(read["boxes"], read["scores"], SAME)]
    assert 0 < len(kept) < network.config.num_queries
    np.testing.assert_allclose(ours(photograph, "cat"), kept, atol=1e-4)


def test_another_word_gives_other_boxes(folder: Path, photograph: Array) -> None:
    ours = GroundingDino(folder, torch.device("cpu"))
    assert not np.array_equal(ours(photograph, "cat"), ours(photograph, "dog"))
    np.testing.assert_array_equal(ours(photograph, "cat"), ours(photograph, "Cat."))


def test_a_folder_without_the_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="as `save_pretrained` writes it"):
        GroundingDino(tmp_path, torch.device("cpu"))
