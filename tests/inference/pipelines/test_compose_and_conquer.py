"""That the pipeline makes the job's pictures, and leaves what it was given as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import sluice
from sluice.flows.compose.bound.composer import Composer, _drawn
from sluice.flows.compose.tree.job import Job
from sluice.inference.pipelines.compose_and_conquer import ComposeAndConquerPipeline
from sluice.training.networks.global_fuser import GlobalFuser
from sluice.training.networks.local_fuser import LocalFuser
from tests.inference.pipelines.conftest import SIZE

HOW: dict[str, Any] = {"num_inference_steps": 2, "guidance_scale": 3.0, "output_type": "pt"}


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    made = ComposeAndConquerPipeline.from_pretrained(
        folder,
        local_fuser=LocalFuser.from_pretrained(folder / "fusers/local"),
        global_fuser=GlobalFuser.from_pretrained(folder / "fusers/global"),
    )
    made.set_progress_bar_config(disable=True)
    return made


def shown(folder: Path, *names: str) -> tuple[Image.Image, ...]:
    return tuple(Image.open(folder / f"{name}.png").convert("RGB") for name in names)


@pytest.mark.parametrize("guidance", ["exclude", "hadamard"])
@pytest.mark.parametrize("given", [("depths",), ("exemplars",), ("depths", "exemplars")])
def test_its_pictures_are_the_jobs(given: tuple[str, ...], guidance: Any, pipeline: Any, folder: Path) -> None:
    conditions = {name: ["a.png", "b.png"] for name in given}
    fusers = {"fusers": str(folder / "fusers"), "mask": "left.png", "lambdas": [1.0, 0.5], "guidance": guidance}
    model = {"kind": "compose_and_conquer", "over": {"kind": "base", "model": str(folder)}, **fusers, **conditions}
    picture = {"kind": "ddim", "of": {"kind": "guided", "scale": 3, "model": model}}
    job = Job.model_validate({"prompts": ["a red star"], "size": SIZE, "steps": 2, "picture": picture})
    wanted = Composer(job, folder)(["a red star"], [0])
    images = {"image" if name == "depths" else name: shown(folder, "a", "b") for name in given}
    start = _drawn([0], -1, (4, SIZE // 4, SIZE // 4))
    made = pipeline(
        "a red star",
        *shown(folder, "left"),
        **images,
        exemplar_scale=(1.0, 0.5),
        soft_guidance=guidance,
        latents=start,
        **HOW,
    ).images
    torch.testing.assert_close(made, wanted / 2 + 0.5, rtol=0, atol=1e-5)


def test_what_it_was_given_is_as_before(pipeline: Any, folder: Path) -> None:
    networks = (pipeline.unet, pipeline.local_fuser.encoder)
    before = [dict(network.attn_processors) for network in networks]
    pipeline("", *shown(folder, "left"), shown(folder, "a", "b"), shown(folder, "a", "b"), **HOW)
    assert [network.attn_processors for network in networks] == before


def test_it_is_saved_with_its_fusers_and_loaded(pipeline: Any, folder: Path, tmp_path: Path) -> None:
    pipeline.save_pretrained(tmp_path)
    again = sluice.ComposeAndConquerPipeline.from_pretrained(tmp_path)
    first, second = (
        own(
            "a red star",
            *shown(folder, "left"),
            shown(folder, "a", "b"),
            generator=torch.Generator().manual_seed(3),
            **HOW,
        ).images
        for own in (pipeline, again)
    )
    assert torch.equal(first, second)


def test_conditions_without_their_fuser_are_refused(pipeline: Any, folder: Path) -> None:
    (left,), pair = shown(folder, "left"), shown(folder, "a", "b")
    with pytest.raises(ValueError, match="it takes `image`, the depths of foreground and background, or `exemplars`"):
        pipeline("", left)
    parts = {**pipeline.components, "global_fuser": None}
    with pytest.raises(ValueError, match="`exemplars` was given, and the pipeline has no fuser for it"):
        ComposeAndConquerPipeline(**parts)("", left, exemplars=pair)
