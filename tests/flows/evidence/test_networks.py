"""The list of networks for the evidence: whole, in order, each by a recipe that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.evidence.networks import read_evidence
from sluice.flows.evidence.train import EvidenceTraining
from sluice.flows.training.recipes import load_recipe
from sluice.infra.settings import ConfigError
from sluice.preprocess.tabletop import LAWS
from tests.flows.evidence.small import QUIET, SMALL


def test_every_network_of_the_ready_list_has_a_recipe_and_scenes_that_there_are() -> None:
    evidence = read_evidence()
    for name, network in evidence.networks.items():
        recipe = load_recipe(network.recipe, "tabletop", [f"{key}={value}" for key, value in network.set.items()])
        assert recipe.control is None or recipe.control in name
        assert recipe.rebalanced == (name.startswith("micontrolnet") or "rebalanced" in name)
    assert all(own.law in LAWS for own in evidence.data.values())


def test_some_are_trained_with_what_they_begin_from_before_them() -> None:
    assert list(read_evidence().chosen(["cnc"])) == ["cnc-local", "cnc-global", "cnc"]
    assert list(read_evidence().chosen(["controlnet-hed"])) == ["controlnet-hed"]
    optional = ["cnc-local-canny", "cnc-local-whole"]
    assert list(read_evidence().chosen([])) == [own for own in read_evidence().networks if own not in optional]
    assert list(read_evidence().chosen(optional)) == optional
    with pytest.raises(ConfigError, match="no such network; did you mean 'controlnet-hed'"):
        read_evidence().chosen(["controlnet-het"])


def test_a_list_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    for network, told in (
        ("{recipe: cnc-local, data: [nowhere]}", "names 'nowhere'"),
        ("{recipe: cnc-joint, data: [a], begin: [later]}", "names 'later'"),
        ("{recipe: cnc-local, data: []}", "networks.mine.data"),
        ("{recipe: cnc-local, data: [a], sett: {}}", "there is no 'networks.mine.sett'"),
    ):
        file.write_text(f"data: {{a: {{law: two, scenes: 4}}}}\nnetworks: {{mine: {network}}}\n")
        with pytest.raises(ConfigError, match=told):
            read_evidence(file)


def test_the_command_is_one_that_a_user_would_type(tmp_path: Path) -> None:
    training = EvidenceTraining(SMALL, tmp_path, "mine", 2, ["steps=2"], Path("bf16.json"), QUIET)
    command = " ".join(training.command("canny-2", SMALL.networks["canny-2"]))
    assert "torch.distributed.run --standalone --nproc-per-node=2 --no-python" in command
    assert f"train micontrolnet-2 --data {tmp_path}/data/datasets/few --out {tmp_path}/networks/canny-2 " in command
    assert "--engine bf16.json --set" in command
    begun = f"--set begin={tmp_path}/networks/canny-1/model"
    assert f"--set base=mine --set control=canny {begun} --set steps=2" in command
    assert f"begin={tmp_path}/networks/both/begin" in " ".join(training.command("both", SMALL.networks["both"]))
    assert not list(tmp_path.iterdir())
