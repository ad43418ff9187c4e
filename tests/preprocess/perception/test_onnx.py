from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from sluice.infra.errors import SluiceError
from sluice.preprocess.perception.device import DeviceError
from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.perception.unusable_weights import UnusableWeights


def test_a_network_runs_with_the_threads_it_was_given(tiny_nsfw: Path) -> None:
    network = OnnxNetwork(tiny_nsfw, threads=2)
    options = network.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    (output,) = network(np.zeros((1, 224, 224, 3)))
    np.testing.assert_allclose(output, [[0.5, 0.5]])


def test_another_file_is_an_error_that_names_it_and_is_not_tried_again(tmp_path: Path) -> None:
    assert issubclass(UnusableWeights, SluiceError), "only these end a run at the first attempt"
    (tmp_path / "broken.onnx").write_bytes(b"broken")
    with pytest.raises(UnusableWeights, match=r"broken\.onnx' is not an ONNX network"):
        OnnxNetwork(tmp_path / "broken.onnx")


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="onnxruntime has CUDA")
def test_a_gpu_without_cuda_is_refused_and_not_replaced(tiny_nsfw: Path) -> None:
    with pytest.raises(DeviceError, match="set the stage's `gpus` to 0"):
        OnnxNetwork(tiny_nsfw, gpus=1)
