"""That a run goes on where it was stopped, makes do with the memory there is, and says what a user should know."""

from __future__ import annotations

import io
import json
import multiprocessing
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file, save_file
from torch import Tensor

from sluice.flows.compose.bound import energies
from sluice.flows.compose.bound.composer import Composer
from sluice.flows.compose.run import making
from sluice.flows.compose.run.batches import batches_of
from sluice.flows.compose.run.flow import again, compose, compose_all
from sluice.flows.compose.run.making import NO_NUMBER, TooLarge
from sluice.flows.compose.run.pictures import MadeOf, pictures_of
from sluice.flows.compose.run.runs import Here, Workers
from sluice.flows.compose.run.work import ComposeWork
from sluice.flows.compose.tree.job import Job
from sluice.inference.energies.energy import Energy
from sluice.infra.code import code_version
from sluice.infra.local import LocalStorage
from sluice.infra.settings import ConfigError
from sluice.infra.storage import Entry
from tests.flows.runs import wait_until

QUIET = Console(quiet=True)
LONG = "a star " * 40


def run(job: dict[str, Any], folder: Path, out: Path, workers: Workers | None = None) -> tuple[Sequence[str], str]:
    """The names of the pictures that were made, and what was said."""
    said = io.StringIO()
    made = compose(Job.model_validate(job), folder, out, Console(file=said, width=2000), workers).made
    return made, said.getvalue()


def records(out: Path) -> dict[int, Any]:
    """By seed."""
    told = [json.loads(path.read_text()) for path in out.glob("*.json")]
    return {own["job"]["seeds"][0]: own for own in told}


class Greedy(Composer):
    """Wants more memory than any machine has, for more than two pictures at once."""

    most = 2

    def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        if len(prompts) > self.most:
            torch.empty(2**46)
        return super().__call__(prompts, seeds)


class Insatiable(Greedy):
    most = 0


def test_a_batch_that_memory_does_not_hold_is_halved_and_this_is_said_and_recorded(
    plain: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "Composer", Greedy)
    made, said = run({**plain, "seeds": [*range(5)], "batch": 8}, tmp_path, tmp_path / "out")
    assert len(made) == 5
    assert said.count("memory holds 2 at once, fewer than the job's `batch`") == 1
    assert [records(tmp_path / "out")[seed]["batch"] for seed in range(5)] == [2] * 5
    assert records(tmp_path / "out")[0]["code"] == code_version()
    monkeypatch.undo()
    picture = tmp_path / "out" / f"{made[3]}.png"
    assert Path(again(picture, tmp_path / "again", QUIET)).read_bytes() == picture.read_bytes()
    assert records(tmp_path / "again")[3]["batch"] == 2


def test_where_not_one_picture_fits_the_run_ends_and_says_what_helps(
    plain: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "Composer", Insatiable)
    with pytest.raises(TooLarge, match=r"not even one picture fits into memory .* lower the job's `size`"):
        run(plain, tmp_path, tmp_path / "out")


def test_other_errors_are_not_taken_for_want_of_memory(
    plain: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Composer):
        def __call__(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
            return torch.ones(2, len(prompts)) @ torch.ones(len(seeds) + 1, 2)

    monkeypatch.setattr(making, "Composer", Broken)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        run(plain, tmp_path, tmp_path / "out")


def test_half_a_batch_that_killed_its_worker_has_half_its_size(plain: dict[str, Any], tmp_path: Path) -> None:
    job = Job.model_validate({**plain, "seeds": [0, 1, 2], "batch": 3})
    (batch,) = batches_of(list(pictures_of(job, MadeOf(tmp_path))))
    work = ComposeWork(tmp_path, LocalStorage(tmp_path))
    halves = work.halve(batch)
    assert halves is not None
    assert [(len(half.asked), half.size) for half in halves] == [(1, 2), (2, 2), (3, 3)], "and then all of it"
    assert work.halve(halves[0]) is None


def test_pictures_without_numbers_are_quarantined(plain: dict[str, Any], untrained: Path, tmp_path: Path) -> None:
    shutil.copytree(untrained, tmp_path / "model", ignore=shutil.ignore_patterns("unet_*", "judges", "latents"))
    (file,) = (tmp_path / "model/unet").glob("*.safetensors")
    weights = load_file(file)
    weights["conv_out.bias"].fill_(torch.nan)
    save_file(weights, file, {"format": "pt"})
    picture = {"kind": "ddim", "of": {"kind": "guided", "model": {"kind": "base", "model": str(tmp_path / "model")}}}
    composed = compose(Job.model_validate({**plain, "picture": picture}), tmp_path, tmp_path / "out", QUIET)
    assert composed.made == []
    (name,) = composed.quarantined
    assert json.loads((tmp_path / "out/quarantine" / f"{name}.json").read_text())["reason"] == NO_NUMBER
    assert not list((tmp_path / "out").glob("*.png"))


def test_what_is_left_out_is_recorded_for_its_picture_alone(
    plain: dict[str, Any], given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = torch.tensor([1.0, torch.nan])
    energy_of_one = Energy(lambda x: x.flatten(1).sum(dim=1) * broken)
    monkeypatch.setattr(energies, "colour_energy", lambda *_: energy_of_one)
    energy = {"kind": "colour", "region": "0.png", "colour": [255, 0, 0], "rho": 0.1}
    picture = {"kind": "freedom", "of": plain["picture"]["of"], "energies": [energy]}
    made, said = run({**plain, "seeds": [0, 1], "picture": picture}, given, tmp_path / "out")
    told = {seed: record["left_out"] for seed, record in records(tmp_path / "out").items()}
    assert told[0] == {}
    assert len(told[1]["energies.0"]) == 2
    assert f"left out of {made[1]} where they had no finite gradient" in said
    assert made[0] not in said


@pytest.mark.slow
@pytest.mark.usefixtures("ray4")
def test_prompts_that_are_cut_are_said_over_ray_too_once_and_recorded(plain: dict[str, Any], tmp_path: Path) -> None:
    job = {**plain, "prompts": [LONG, "a red star"], "seeds": [0, 1], "batch": 1, "steps": 1}
    said = {
        where: run(job, tmp_path, tmp_path / where, over)[1] for where, over in (("here", None), ("ray", Workers(2)))
    }
    for where, told in said.items():
        assert told.count(f"this text is longer than its model reads, and was cut: {LONG}") == 1
        assert "4 of 4 pictures" in told
        cut = [json.loads(path.read_text()) for path in (tmp_path / where).glob("*.json")]
        assert sorted((own["job"]["prompts"][0], own.get("cut", [])) for own in cut) == [
            ("a red star", []),
            ("a red star", []),
            (LONG, [LONG]),
            (LONG, [LONG]),
        ]


class Counted(LocalStorage):
    """Counts how often it is listed."""

    listed = 0

    def list(self, prefix: str = "") -> Iterator[Entry]:
        self.listed += 1
        return super().list(prefix)


@pytest.mark.parametrize("damage", ["gone", "empty"])
def test_a_picture_that_is_not_there_any_more_is_made_again(damage: str, plain: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "out"
    (one, other), _ = run({**plain, "seeds": [0, 1]}, tmp_path, out)
    before = {name: (out / f"{name}.png").read_bytes() for name in (one, other)}
    (out / f"{one}.png").unlink() if damage == "gone" else (out / f"{one}.png").write_bytes(b"")
    again(out / f"{one}.png", out, QUIET)
    assert {name: (out / f"{name}.png").read_bytes() for name in before} == before
    (out / f"{other}.png").unlink() if damage == "gone" else (out / f"{other}.png").write_bytes(b"")
    run({**plain, "seeds": [0, 1]}, tmp_path, out)
    assert (out / f"{other}.png").read_bytes() == before[other]


@pytest.mark.parametrize(("record", "said"), [("{", "Expecting"), ("{}", "no 'job'"), ('{"job": {"x": 1}}', "x")])
def test_a_record_that_is_none_is_named(record: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(record)
    with pytest.raises(ConfigError, match=said) as raised:
        again(tmp_path / "one.png", tmp_path / "out", QUIET)
    assert f"{tmp_path}/one.json is not a picture's record" in str(raised.value)


def test_a_run_lists_what_is_there_once_before_and_once_after(plain: dict[str, Any], tmp_path: Path) -> None:
    job = Job.model_validate({**plain, "seeds": [*range(6)], "batch": 1, "steps": 1})
    asked, place = list(pictures_of(job, MadeOf(tmp_path))), Counted(tmp_path / "out")
    assert len(compose_all(asked, tmp_path, place, QUIET, Here()).made) == 6
    assert place.listed == 2
    compose_all(asked, tmp_path, place, QUIET, Here())
    assert place.listed == 3


def alone(job: dict[str, Any], folder: Path, out: Path) -> None:
    """In a process forked from one that had threads, which are not there: with one."""
    torch.set_num_threads(1)
    run(job, folder, out)


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(plain: dict[str, Any], tmp_path: Path) -> None:
    job, out = {**plain, "seeds": [*range(40)], "steps": 8}, tmp_path / "out"
    killed = multiprocessing.get_context("fork").Process(target=alone, args=(job, tmp_path, out))
    killed.start()
    try:
        for _ in wait_until(lambda: len(list(out.glob("*.json"))) > 3, 240, "pictures"):
            assert killed.is_alive()
    finally:
        killed.kill()
        killed.join()
    there = {path.stem: path.with_suffix(".png").read_bytes() for path in out.glob("*.json")}
    assert 3 < len(there) < 40
    made, said = run(job, tmp_path, out)
    assert f"{40 - len(there)} of {40 - len(there)} pictures" in said
    assert {name: (out / f"{name}.png").read_bytes() for name in there} == there
    undisturbed = run({**job, "seeds": [0, 21, 38, 39]}, tmp_path, tmp_path / "undisturbed")[0]
    assert set(undisturbed) < set(made)
    for name in undisturbed:
        assert (tmp_path / "undisturbed" / f"{name}.png").read_bytes() == (out / f"{name}.png").read_bytes()
