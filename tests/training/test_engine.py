"""DeepSpeed's state, whole: kept and restored to the bit, and steps that are plain AdamW's. In processes of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.infra.settings import ConfigError
from sluice.training.engine import backend, require_possible
from sluice.training.recipe import Recipe

SCRIPT = """
import sys
import torch
from sluice.training.engine import restore, start, state_of
from sluice.training.recipe import Recipe

stage, half = int(sys.argv[1]), sys.argv[2] == "bf16"
recipe = Recipe(method="controlnet", control="canny", steps=4, batch=8, micro_batch=2, learning_rate=1e-2, clip=0.1)
settings = {"zero_optimization": {"stage": stage}, **({"bf16": {"enabled": True}} if half else {})}

def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.SiLU(), torch.nn.Linear(8, 4))

def given(step, part):
    return torch.randn(2, 4, generator=torch.Generator().manual_seed(10 * step + part))

def train(engine, steps):
    for step in steps:
        for part in range(4):
            x = given(step, part).to(next(engine.module.parameters()).dtype)
            engine.backward((engine(x) - 1).square().mean())
            engine.step()
    return state_of(engine)

whole = train(start(network(), recipe, settings), range(6))
half_way = train(start(network(), recipe, settings), range(3))
resumed = start(network(), recipe, settings)
restore(resumed, half_way)
again = train(resumed, range(3, 6))
for kind in ("network", "exp_avg", "exp_avg_sq"):
    for name, value in whole[kind].items():
        assert torch.equal(value, again[kind][name]), (kind, name)
assert whole["updates"] == again["updates"] == 6

plain = network()
optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-2)
for step in range(6):
    optimizer.zero_grad()
    for part in range(4):
        ((plain(given(step, part)) - 1).square().mean() / 4).backward()
    torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1)
    optimizer.step()
for name, value in plain.named_parameters():
    if not half:  # gradients in bf16 are others
        torch.testing.assert_close(whole["network"][name], value.detach(), rtol=0, atol=1e-6)
"""


LEAVE = "\ntorch.distributed.destroy_process_group()  # whose threads crash now and then as an interpreter ends\n"


def test_gpus_reduce_what_is_theirs_and_processors_the_loops_own() -> None:
    assert backend(gpus=True) == "cpu:gloo,cuda:nccl"
    assert backend(gpus=False) == "gloo"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"zero_optimization": {"stage": "x"}}, r"`zero_optimization`: stage: input should be 0, 1, 2"),
        ({"zero_optimization": {"stagee": 2}}, r"there is no 'stagee'; did you mean 'stage'"),
        ({"bf16": {"enabled": "perhaps"}}, r"`bf16`: enabled: input should be a valid boolean"),
    ],
)
def test_settings_that_deepspeed_does_not_know_are_named(settings: dict[str, Any], said: str) -> None:
    recipe = Recipe(method="controlnet", control="canny", steps=4, batch=8, micro_batch=2, learning_rate=1e-2)
    with pytest.raises(ConfigError, match=said):
        require_possible(recipe, settings)


def test_what_deepspeed_refuses_is_said_in_its_words() -> None:
    begun = (
        SCRIPT.partition("whole = ")[0] + 'start(network(), recipe, {**settings, "tensorboard": {"enabled": "maybe"}})'
    )
    environment = os.environ | {"DS_ACCELERATOR": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", begun, "0", "fp32"], capture_output=True, text=True, check=False, env=environment
    )
    assert (
        "CannotTrain: DeepSpeed cannot begin with the engine's settings: tensorboard.enabled: input should be"
        in done.stderr
    )


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "dtype"), [(0, "fp32"), (1, "fp32"), (2, "bf16"), (3, "fp32"), (3, "bf16")])
def test_a_state_is_restored_to_the_bit_and_steps_are_adamws(stage: int, dtype: str) -> None:
    environment = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}
    asked = [sys.executable, "-c", SCRIPT + LEAVE, str(stage), dtype]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]


def test_nothing_is_compiled_before_a_first_training(tmp_path: Path) -> None:
    environment = os.environ | {"DS_ACCELERATOR": "cpu", "TORCH_EXTENSIONS_DIR": str(tmp_path)}
    begun = SCRIPT.partition("whole = ")[0] + "start(network(), recipe, settings)" + LEAVE
    done = subprocess.run(
        [sys.executable, "-c", begun, "0", "fp32"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.iterdir()) == []


def test_a_deterministic_training_allows_no_kernel_that_is_not() -> None:
    environment = os.environ | {"DS_ACCELERATOR": "cpu"}
    environment.pop("CUBLAS_WORKSPACE_CONFIG", None)
    asked = SCRIPT.partition("whole = ")[0].replace("clip=0.1", "clip=0.1, deterministic=True")
    asked += (
        "start(network(), recipe, settings)\n"
        "import os\n"
        "assert torch.are_deterministic_algorithms_enabled()\n"
        "assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'\n"
    )
    asked += LEAVE
    done = subprocess.run(
        [sys.executable, "-c", asked, "0", "fp32"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
