"""Where a learned stage computes, and in which precision; torch is imported on use, as planning needs none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sluice.infra.errors import SluiceError

if TYPE_CHECKING:
    import torch

Precision = Literal["auto", "fp32", "fp16", "bf16"]


class DeviceError(SluiceError):
    """The configuration asks for a device that this machine does not have."""


def device(gpus: float) -> torch.device:
    """The device of a stage that holds `gpus` GPUs: CUDA for more than none, else the CPU.

    Raises DeviceError where a GPU is asked for and torch sees none.
    """
    import torch

    if gpus <= 0:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise DeviceError(
            f"the stage asks for {gpus:g} GPU(s), but torch {torch.__version__} sees none on this machine; "
            "set its `gpus` to 0 to run on the CPU, or install a CUDA build of torch"
        )
    return torch.device("cuda")


def dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """The number type of weights and activations; `auto` is fp16 on a GPU and fp32 on a CPU."""
    import torch

    if precision == "auto":
        precision = "fp32" if device.type == "cpu" else "fp16"
    return {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[precision]
