import pytest
import torch

from sluice.preprocess.perception.device import DeviceError, device, dtype


def test_no_gpu_is_the_cpu() -> None:
    assert device(0).type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_an_error_that_names_the_remedy() -> None:
    with pytest.raises(DeviceError, match="set its `gpus` to 0"):
        device(0.5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="SKIPPED LOUDLY: no GPU here, the CUDA path is not run")
def test_a_fraction_of_a_gpu_is_cuda() -> None:
    assert device(0.5).type == "cuda"


@pytest.mark.parametrize(
    ("precision", "where", "expected"),
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cuda", torch.float16),
        ("fp32", "cuda", torch.float32),
        ("fp16", "cpu", torch.float16),
        ("bf16", "cuda", torch.bfloat16),
    ],
)
def test_dtype(precision: str, where: str, expected: torch.dtype) -> None:
    assert dtype(precision, torch.device(where)) is expected  # type: ignore[arg-type]
