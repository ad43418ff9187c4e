"""Weights that ship with Sluice: found where they are, held to their digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sluice.infra.weights import models
from sluice.infra.weights.models import DamagedWeights, MissingWeights, WrongWeights, find, pull
from tests.shelf import Shelf

NET = bytes(range(256)) * 40


@pytest.fixture
def shipped(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of `ours`, which ships with Sluice."""
    monkeypatch.setattr(models, "ROOT", tmp_path / "sluice")
    (tmp_path / "sluice/models").mkdir(parents=True)
    (tmp_path / "sluice/models/net.onnx").write_bytes(NET)
    shelf.list("ours", {"shipped": "models/net.onnx"}, NET)
    return tmp_path / "sluice/models/net.onnx"


def test_what_ships_is_found_where_it_is_and_needs_no_cache(shipped: Path, shelf: Shelf) -> None:
    found = find("ours")
    assert (found.path, found.digest) == (shipped, hashlib.sha256(NET).hexdigest())
    assert pull("ours") == found
    with pytest.raises(WrongWeights, match="named by their path"):
        pull("ours", "folder")
    assert not (shelf.cache / "names").exists()


def test_what_ships_is_held_to_its_digest(shipped: Path) -> None:
    shipped.write_bytes(NET[::-1])
    with pytest.raises(DamagedWeights, match=r"net\.onnx has SHA-256 .* and 'ours' must have .*Install Sluice again"):
        find("ours")
    shipped.unlink()
    with pytest.raises(MissingWeights, match=r"'ours' ships with Sluice, but .*net\.onnx is not there"):
        pull("ours")


def test_of_a_folder_that_ships_what_says_how_good_it_is_does_not_count(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(models, "ROOT", tmp_path)
    (tmp_path / "models/unet").mkdir(parents=True)
    (tmp_path / "models/unet/net.bin").write_bytes(NET)
    shelf.list("ours", {"shipped": "models", "files": ["*/*", "index.json"]}, None, form="folder")
    first = find("ours").digest
    (tmp_path / "models/README.md").write_text("good")
    assert find("ours").digest == first
    (tmp_path / "models/index.json").write_text("{}")
    second = find("ours").digest
    (tmp_path / "models/unet/net.bin").write_bytes(NET[::-1])
    assert len({first, second, find("ours").digest}) == 3
