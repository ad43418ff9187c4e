"""Small HED weights in the file format of the published ones."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def write_hed(path: Path) -> Path:
    """Random weights of widths 2, 3, 4, 5, 6 in the Keras HDF5 layout."""
    rng = np.random.default_rng(0)
    incoming = 3
    with h5py.File(path, "w") as file:

        def convolution(name: str, size: int, inputs: int, outputs: int) -> None:
            kernel = rng.normal(0, (2 / (size * size * inputs)) ** 0.5, (size, size, inputs, outputs))
            file[f"{name}/vars/0"], file[f"{name}/vars/1"] = kernel.astype("f4"), rng.normal(0, 0.1, outputs)

        for block, (width, convolutions) in enumerate(zip((2, 3, 4, 5, 6), (2, 2, 3, 3, 3), strict=True), start=1):
            for i in range(convolutions):
                convolution(f"block{block}/layers/conv2d" + (f"_{i}" if i else ""), 3, incoming, width)
                incoming = width
            convolution(f"dsn{block}", 1, width, 1)
        convolution("fuse", 1, 5, 1)
        # Inputs reach +-120: without this the sigmoid would be saturated everywhere.
        file["fuse/vars/0"][...] *= 0.02
    return path
