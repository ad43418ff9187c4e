"""`sluice train RECIPE` from a data set to a network, in processes of its own: DeepSpeed keeps a process to itself."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import ControlNetModel
from safetensors.torch import load_file

from sluice.flows.training.train import require_weights
from sluice.infra.settings import ConfigError
from sluice.infra.weights.models import find
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser
from tests.flows.conftest import config_for
from tests.flows.runs import SLUICE

ENGINES = Path(__file__).parents[3] / "infra" / "deepspeed"
SAFETENSORS = "diffusion_pytorch_model.safetensors"
SMALL = ("steps=4", "batch=8", "micro_batch=4", "checkpoint_steps=2", "warm_up=0")
AVERAGED = ("steps=12", "ema=0.9")
STAGES: dict[str, Any] = {
    "image": {"size": 64, "min_side": 0},
    "given": {"conditions": ["segments", "depth", "pose", "mask", "fg_depth", "bg_depth", "background"]},
    "canny": {},
}


@pytest.fixture(scope="module")
def data(build: Callable[..., Any], untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small data set of tabletop scenes, with what every recipe is trained on."""
    out = tmp_path_factory.mktemp("data")
    embeddings = {name: {"model": str(untrained / "image_encoder")} for name in ("clip", "bg_clip")}
    source = {"kind": "tabletop", "uri": "24", "size": 64}
    build(config_for(source, out, stages={**STAGES, **embeddings}, workers=2))
    return out / "datasets" / "made"


TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python")
DEEPSPEED = (str(SLUICE.with_name("deepspeed")), "--num_gpus", "2", "--no_python", "--no_local_rank")


def command(recipe: str, data: Path, base: Path, out: Path, *settings: str, launcher: Sequence[str] = ()) -> list[str]:
    launched = [*launcher, str(SLUICE)]
    given = [f"base={base}", *SMALL, *settings]
    asked = ["train", recipe, "--data", str(data), "--out", str(out)]
    return [*launched, *asked, *(part for setting in given for part in ("--set", setting))]


def train(*asked: Any, **options: Any) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(command(*asked, **options), capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def losses(out: Path) -> list[dict[str, float]]:
    """The log without what no two runs have alike."""
    lines = [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in {"images/s", "busy"}} for line in lines]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model" / SAFETENSORS)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def trained(data: Path, untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MIControlNet's first stage, not interrupted."""
    out = tmp_path_factory.mktemp("trained")
    train("micontrolnet-1", data, untrained, out)
    return out


def test_what_is_trained_is_a_plain_controlnet(trained: Path) -> None:
    network = ControlNetModel.from_pretrained(trained / "model")
    assert any(parameter.abs().max() > 0 for parameter in network.controlnet_mid_block.parameters())
    (line,) = losses(trained)
    assert line["step"] == 4
    assert 0 < line["noise"] < 3
    assert line["gradient norm"] > 0
    assert line["learning rate"] == pytest.approx(0.625 * 5e-4, rel=1e-3)  # half a cosine, from four steps
    whole = json.loads((trained / "losses.jsonl").read_text())
    assert whole["images/s"] > 0
    assert 0 < whole["busy"] <= 1


def test_beside_a_network_lies_what_it_is_made_of(trained: Path, data: Path, untrained: Path) -> None:
    told = json.loads((trained / "model" / "training.json").read_text())
    (version,) = (path.parent for path in data.glob("*/manifest.json"))
    assert told["data"] == [{"uri": str(data.parents[1]), "digest": f"made {version.name}"}]
    assert told["identity"]["base weights"] == find(str(untrained)).digest
    assert (told["steps"], told["recipe"]["method"]) == (4, "micontrolnet")
    assert told["code"].startswith(importlib.metadata.version("sluice-diffusion"))
    assert shlex.split(told["command"])[1:] == command("micontrolnet-1", version, untrained, trained)[1:]
    assert told == json.loads((trained / "training.json").read_text())
    assert f"| code | {told['code']} |" in (trained / "model" / "README.md").read_text()


@pytest.mark.slow
def test_a_second_stage_goes_on_from_the_first(data: Path, untrained: Path, trained: Path, tmp_path: Path) -> None:
    train("micontrolnet-2", data, untrained, tmp_path, f"begin={trained / 'model'}")
    (line,) = losses(tmp_path)
    assert line["conservativity"] >= 0
    assert line["loss"] == pytest.approx(line["noise"] + 0.01 * line["conservativity"], rel=1e-6)
    assert not same(weights(tmp_path), weights(trained))


def test_the_fusers_are_trained_together_and_load(data: Path, untrained: Path, tmp_path: Path) -> None:
    train("cnc-joint", data, untrained, tmp_path)
    LocalFuser.from_pretrained(tmp_path / "model" / "local")
    GlobalFuser.from_pretrained(tmp_path / "model" / "global")


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_what_was_stopped_ends_with_the_bits_of_what_was_not(
    how: signal.Signals, data: Path, untrained: Path, tmp_path: Path
) -> None:
    asked = command("micontrolnet-1", data, untrained, tmp_path, *AVERAGED)
    begun = subprocess.Popen(asked, env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE, text=True)
    while not kept(tmp_path):
        assert begun.poll() is None, begun.communicate()[1]
        time.sleep(0.02)
    begun.send_signal(how)
    begun.communicate(timeout=60)
    assert 0 < max(kept(tmp_path)) < 12
    train("micontrolnet-1", data, untrained, tmp_path, *AVERAGED)
    train("micontrolnet-1", data, untrained, tmp_path / "whole", *AVERAGED, "snapshot_steps=6")
    assert same(weights(tmp_path), weights(tmp_path / "whole"))
    half, whole = (load_file(own / SAFETENSORS) for own in sorted((tmp_path / "whole" / "snapshots").iterdir()))
    assert same(whole, weights(tmp_path))
    assert not same(half, whole)
    assert losses(tmp_path) == losses(tmp_path / "whole")


def kept(out: Path) -> list[int]:
    return [int(path.stem) for path in (out / "checkpoints").glob("0*.json")]


@pytest.mark.slow
def test_a_training_that_diverges_says_which_records_it_left_out(data: Path, untrained: Path, tmp_path: Path) -> None:
    asked = command("controlnet", data, untrained, tmp_path, "steps=60", "learning_rate=1e18")
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "a loss is not finite; these are left out: " in done.stdout
    assert "22 batches had a loss or a gradient that is not finite, the last at step " in done.stderr
    left_out = (tmp_path / "left-out.txt").read_text().split()
    assert left_out
    assert all(key in done.stdout for key in left_out)
    assert max(kept(tmp_path), default=0) <= int(done.stdout.partition("step ")[2].partition(":")[0])


@pytest.mark.slow
def test_going_on_in_another_precision_is_said(data: Path, untrained: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("model"))
    asked = [*command("micontrolnet-1", data, untrained, tmp_path), "--engine", str(ENGINES / "cpu-bf16.json")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it was begun in torch.float32 and goes on in torch.bfloat16" in done.stdout
    assert same(weights(tmp_path), weights(trained))  # it had ended: nothing is rounded


@pytest.mark.slow
@pytest.mark.parametrize("length", ["steps=1", "steps=6"])
def test_one_that_diverges_in_its_last_steps_leaves_no_network(
    length: str, data: Path, untrained: Path, tmp_path: Path
) -> None:
    asked = command("controlnet", data, untrained, tmp_path, length, "learning_rate=1e18")
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "this training diverged: " in done.stderr
    assert "There is no checkpoint from before it" in done.stderr
    assert not (tmp_path / "model").exists()
    assert kept(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [TORCHRUN, DEEPSPEED], ids=["torchrun", "deepspeed"])
def test_two_processes_train_as_one(
    launcher: Sequence[str], data: Path, untrained: Path, trained: Path, tmp_path: Path
) -> None:
    train("micontrolnet-1", data, untrained, tmp_path, launcher=launcher)
    assert losses(tmp_path)[0]["noise"] == pytest.approx(losses(trained)[0]["noise"], rel=1e-5)
    for name, value in weights(trained).items():
        torch.testing.assert_close(weights(tmp_path)[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_ray_train_runs_the_same_loop(data: Path, untrained: Path, trained: Path, tmp_path: Path) -> None:
    asked = [*command("micontrolnet-1", data, untrained, tmp_path), "--ray", "2"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert losses(tmp_path)[0]["noise"] == pytest.approx(losses(trained)[0]["noise"], rel=1e-5)
    for name, value in weights(trained).items():
        torch.testing.assert_close(weights(tmp_path)[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_an_error_in_a_process_of_ray_is_said_and_not_tried_again(data: Path, untrained: Path, tmp_path: Path) -> None:
    asked = [*command("micontrolnet-1", data, untrained, tmp_path, "batch=6", "micro_batch=6"), "--ray", "2"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]  # after what Ray's own actors say of their end
    assert last.startswith("Error: a batch of 6 cannot be shared by 2 processes of 6 each")


@pytest.mark.parametrize(
    ("asked", "ends", "said"),
    [
        (["--set", "seed=7"], 2, "seed: 0 then, 7 now"),
        pytest.param(["--set", "seed=7", "--checkpoints", "else"], 2, "seed: 0 then, 7 now", marks=pytest.mark.slow),
        pytest.param(["--engine", ENGINES / "v100x8.json"], 2, "fp16 takes a GPU", marks=pytest.mark.slow),
        pytest.param(["--engine", ENGINES / "cpu-bf16.json"], 0, "trained already", marks=pytest.mark.slow),
    ],
)
def test_what_is_trained_stays_whatever_is_asked_of_its_folder(
    asked: list[Any], ends: int, said: str, data: Path, untrained: Path, trained: Path, tmp_path: Path
) -> None:
    before = {name: (trained / name).read_bytes() for name in ("recipe.json", "training.json", "index.html")}
    again = [*command("micontrolnet-1", data, untrained, trained), *asked]
    done = subprocess.run(again, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == ends
    assert said in " ".join((done.stdout + done.stderr).split())
    assert {name: (trained / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("weights", "said"),
    [([3.0], "1 --weight for 2 --data"), ([1.0, 0.0], "above 0, not 0"), ([1.0, float("inf")], "above 0, not inf")],
)
def test_weights_are_one_above_0_for_each_data_set(weights: list[float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        require_weights(["one", "two"], weights)
