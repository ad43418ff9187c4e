from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sluice.infra.weights.pickles import UnsafePickle, read_state, to_safetensors


def converted(tmp_path: Path, tree: Any, protocol: int = 4) -> dict[str, torch.Tensor]:
    (tmp_path / "net.ckpt").write_bytes(pickle.dumps(tree, protocol))
    to_safetensors(tmp_path / "net.ckpt", "numpy", tmp_path / "net.safetensors")
    return load_file(tmp_path / "net.safetensors")


@pytest.mark.parametrize("protocol", [4, 5])
def test_nested_numpy_arrays_get_dotted_names(tmp_path: Path, protocol: int) -> None:
    tree = {"layer": OrderedDict(weight=np.arange(6.0).reshape(2, 3).T, bias=np.float32(2)), "n": np.array([1, 2])}
    tensors = converted(tmp_path, tree, protocol)
    assert sorted(tensors) == ["layer.bias", "layer.weight", "n"]
    assert tensors["layer.weight"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert tensors["layer.bias"].item() == 2


class Evil:
    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> Any:
        return (Path.touch, (self.ran,))


@pytest.mark.parametrize("written_as", ["torch", "numpy"])
def test_a_pickle_that_would_run_code_is_refused_and_runs_none(tmp_path: Path, written_as: Any) -> None:
    tree = {"weight": Evil(tmp_path / "ran")}
    if written_as == "torch":
        torch.save(tree, tmp_path / "evil.ckpt")
    else:
        (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(tree))
    with pytest.raises(UnsafePickle, match=r"evil\.ckpt is refused: .*asks for \S+, which is no part") as refused:
        to_safetensors(tmp_path / "evil.ckpt", written_as, tmp_path / "net.safetensors")
    assert "weights_only" not in str(refused.value)
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "net.safetensors").exists()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_a_script_of_torch_is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "net.pt")
    with pytest.raises(UnsafePickle, match=r"net\.pt is refused: it is no checkpoint of tensors alone") as refused:
        read_state(tmp_path / "net.pt")
    assert "weights_only" not in str(refused.value)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [({"epoch": 3}, "'epoch' is a int, not a tensor"), ({}, "holds no tensor"), ({"a": np.array(["x"])}, "refused")],
)
def test_anything_but_tensors_is_refused_with_the_reason(tmp_path: Path, tree: Any, reason: str) -> None:
    with pytest.raises(UnsafePickle, match=reason):
        converted(tmp_path, tree)


def test_shared_and_strided_tensors_of_a_checkpoint_keep_their_values(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    state = {"encoder.weight": base, "decoder.weight": base, "column": base[:, 1], "half": base.half().T}
    torch.save(state, tmp_path / "net.pt")
    to_safetensors(tmp_path / "net.pt", "torch", tmp_path / "net.safetensors")
    loaded = load_file(tmp_path / "net.safetensors")
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        torch.save({"z": torch.ones(2), "y": torch.zeros(3)}, tmp_path / f"{name}.pt")
        to_safetensors(tmp_path / f"{name}.pt", "torch", tmp_path / f"{name}.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_cut_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(1000)}, tmp_path / "net.pt")
    (tmp_path / "net.pt").write_bytes((tmp_path / "net.pt").read_bytes()[:1000])
    with pytest.raises(UnsafePickle, match=r"net\.pt is refused"):
        to_safetensors(tmp_path / "net.pt", "torch", tmp_path / "net.safetensors")
