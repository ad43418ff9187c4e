"""ONNX networks in onnxruntime, with the threads that a stage was given and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sluice.preprocess.perception.device import DeviceError
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array


class OnnxNetwork:
    """An ONNX file with one input; called on a float32 batch it returns all its outputs.

    Raises UnusableWeights where the file is not an ONNX network, DeviceError where a GPU is asked for and cannot be
    used.
    """

    def __init__(self, path: Path, threads: int = 1, gpus: float = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        if gpus > 0 and "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            raise DeviceError(
                f"'{path}' is to run on {gpus:g} GPU(s), but this onnxruntime knows only the CPU; set the stage's "
                "`gpus` to 0, or install onnxruntime-gpu in its place"
            )
        providers = ["CUDAExecutionProvider"] if gpus > 0 else ["CPUExecutionProvider"]
        try:
            self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # onnxruntime's own exceptions share no base class
            reason = " ".join(str(error).split())
            raise UnusableWeights(
                f"'{path}' is not an ONNX network that onnxruntime can run ({reason}); where it is the cache's, delete "
                "it and pull the model again, else name another file in the stage's `model`"
            ) from error
        self.input = self.session.get_inputs()[0].name

    def __call__(self, batch: Array) -> list[Array]:
        outputs: list[Array] = self.session.run(None, {self.input: np.ascontiguousarray(batch, dtype=np.float32)})
        return outputs
