"""Judges are told from other networks by their labels alone."""

from __future__ import annotations

import json
from pathlib import Path

from sluice.preprocess.perception.judges_folder import is_judges
from sluice.training.tabletop.judges import segformer


def test_judges_are_told_by_their_labels(tmp_path: Path) -> None:
    network = segformer(channels=3, first_stride=2)
    network.save_pretrained(tmp_path / "judges")
    assert is_judges(tmp_path / "judges")
    network.config.id2label = {0: "sky"}
    network.save_pretrained(tmp_path / "others")
    assert not is_judges(tmp_path / "others")


def test_what_is_no_model_is_no_judges(tmp_path: Path) -> None:
    assert not is_judges(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert not is_judges(tmp_path)
    for config in ({"id2label": {}}, {"id2label": None}, [], "judges"):
        (tmp_path / "config.json").write_text(json.dumps(config))
        assert not is_judges(tmp_path)
    assert not is_judges(tmp_path / "config.json")
