"""Pickled checkpoints into safetensors, once, without letting a pickle run anything."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sluice.infra.errors import SluiceError

# What numpy's own arrays are rebuilt from, in numpy 1 and 2 and every protocol; everything else is refused.
NUMPY_GLOBALS = {
    (f"numpy.{core}.{module}", name)
    for core in ("core", "_core")
    for module, name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))
} | {("numpy", "ndarray"), ("numpy", "dtype"), ("collections", "OrderedDict")}

UNREADABLE = (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError)
"""What torch and pickle raise for bytes that are no checkpoint."""


class UnsafePickle(SluiceError):
    """A checkpoint holds something other than tensors under names."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NUMPY_GLOBALS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is no part of a numpy array")
        return super().find_class(module, name)


def to_safetensors(checkpoint: Path, written_as: Literal["torch", "numpy"], to: Path) -> None:
    """Rewrite a pickled state dict as safetensors; names of nested dicts are joined by dots.

    `torch` checkpoints are read with weights_only, `numpy` pickles by an unpickler that knows arrays alone. Raises
    UnsafePickle for anything else.
    """
    import torch
    from safetensors.torch import save_file

    with _refused(checkpoint):
        if written_as == "torch":
            tree = torch.load(checkpoint, map_location="cpu", weights_only=True)
        else:
            with checkpoint.open("rb") as file:
                tree = _ArraysOnly(file).load()
        tensors = dict(_tensors(tree, ""))
        if not tensors:
            raise pickle.UnpicklingError("it holds no tensor")
    save_file(tensors, to, metadata={"format": "pt"})


def read_state(checkpoint: Path) -> Any:
    """What a checkpoint holds, safetensors or torch's pickle, of which nothing but tensors is let in.

    Raises UnsafePickle, OSError.
    """
    import torch
    from safetensors.torch import load_file

    with _refused(checkpoint):
        if checkpoint.suffix == ".safetensors":
            return load_file(checkpoint)
        return torch.load(checkpoint, map_location="cpu", weights_only=True)


@contextmanager
def _refused(checkpoint: Path) -> Iterator[None]:
    """Raises UnsafePickle, with the reason, for what reading a checkpoint raises."""
    from safetensors import SafetensorError

    try:
        with warnings.catch_warnings(action="ignore"):  # torch's doubts about what it is about to refuse
            yield
    except (pickle.UnpicklingError, SafetensorError, *UNREADABLE) as error:
        raise UnsafePickle(
            f"{checkpoint} is refused: {_reason(error)}. Only checkpoints that hold nothing but tensors under names "
            "are taken; convert it to safetensors where you trust it, and give that file by its path."
        ) from error


def _reason(error: Exception) -> str:
    """Why, without torch's advice to read it all the same."""
    said = str(error)
    asked = re.search(r"GLOBAL (\S+)", said)
    if asked:
        return f"it asks for {asked[1]}, which is no part of a tensor"
    if "weights_only" in said:
        return "it is no checkpoint of tensors alone"
    return said.strip().splitlines()[0] if said.strip() else type(error).__name__


def _tensors(tree: Any, name: str) -> Iterator[tuple[str, Any]]:
    import numpy as np
    import torch

    if isinstance(tree, Mapping):
        for key in sorted(tree, key=str):
            yield from _tensors(tree[key], f"{name}.{key}" if name else str(key))
    elif isinstance(tree, (torch.Tensor, np.ndarray, np.generic)):
        # A copy of its own: safetensors has no shared memory, and views would drag their base along.
        tensor = tree if isinstance(tree, torch.Tensor) else torch.from_numpy(np.array(tree))
        yield name, tensor.clone(memory_format=torch.contiguous_format)
    else:
        raise pickle.UnpicklingError(f"'{name}' is a {type(tree).__name__}, not a tensor")
