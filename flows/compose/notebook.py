"""Composing in a notebook: a job in, pictures with their records out, and nothing written."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from numbers import Integral
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from PIL import Image
from pydantic import ValidationError

from sluice.flows.compose.run.batches import batches_of
from sluice.flows.compose.run.making import Made, Maker
from sluice.flows.compose.run.pictures import Given, MadeOf, named, pictures_of
from sluice.flows.compose.run.safety import NONE, USUAL, reads_tabletop
from sluice.flows.compose.tree.job import Job
from sluice.flows.compose.tree.job_file import in_lines_of, problems_of, read_job
from sluice.infra.settings import ConfigError
from sluice.training.networks.latent_model import LatentModel

GIVEN = "a pipeline in memory"


class PictureWithheld(UserWarning):
    """A picture was judged unsafe, or is none."""


def compose(
    job: Job | Mapping[str, Any] | str | Path,
    prompts: str | Iterable[str] | None = None,
    seeds: int | Iterable[int] | None = None,
    *,
    model: Any = None,
    safety: str | None = None,
    folder: str | Path | None = None,
    device: str | None = None,
) -> list[Image.Image]:
    """A picture for every prompt and seed of a job; each one's `info` is its record, as in `sluice compose`'s .json.

    `job` is a file, or what would be in one, whose images lie in `folder` (unless given: beside the file, or here).
    `model` is a pipeline of diffusers that stands for the job's base model; it is used as it is, and left as it was.
    `safety` is what judges: open-nsfw, a classifier's folder or `none`. What it finds unsafe is not among the pictures,
    and a warning says so. Raises ConfigError, Unscreened, and as `find`.
    """
    wanted, place = _read(job, prompts, seeds, safety)
    given = None if model is None else _given(model)
    if given is not None:
        wanted = _with(given, wanted)
    with in_lines_of(Path(job)) if isinstance(job, str | Path) else nullcontext():
        asked = list(pictures_of(wanted, MadeOf(Path(folder or place), {GIVEN: given} if given else {})))
    where = device or (str(model.device) if given else "cuda" if torch.cuda.is_available() else "cpu")
    maker = Maker(Path(folder or place), where, {GIVEN: given.model} if given else None)
    made = {own.asked.name: own for batch in batches_of(asked) for own in maker(batch)}
    return [_image(made[own.name]) for own in asked if not _is_withheld(made[own.name])]


def _read(
    job: Job | Mapping[str, Any] | str | Path,
    prompts: str | Iterable[str] | None,
    seeds: int | Iterable[int] | None,
    safety: str | None,
) -> tuple[Job, Path]:
    """The job, with what is said over it, and where its images are."""
    more: dict[str, Any] = {"safety": safety} if safety else {}
    if prompts is not None:
        several = isinstance(prompts, Iterable) and not isinstance(prompts, str)
        more["prompts"] = list(prompts) if several else [prompts]
    if seeds is not None:
        some = seeds if isinstance(seeds, Iterable) and not isinstance(seeds, str) else [seeds]
        more |= {"seeds": [int(seed) if isinstance(seed, Integral) else seed for seed in some], "count": 1}
    if isinstance(job, str | Path):
        return read_job(Path(job), more=more), Path(job).parent
    values = job.model_dump(mode="json") if isinstance(job, Job) else job
    if not isinstance(values, Mapping):
        raise ConfigError(f"a job is a file, or a mapping of what would be in one, and not {values!r}")
    try:
        return Job.model_validate({**values, **more}), Path()
    except ValidationError as error:
        said = [f"the job: {'.'.join(map(str, place))}: {wrong}" for place, wrong in problems_of(error)]
        raise ConfigError("\n".join(dict.fromkeys(said))) from error


def _given(pipeline: Any) -> Given:
    """Raises ConfigError for one that jobs cannot sample."""
    parts = ("tokenizer", "text_encoder", "unet", "vae", "scheduler")
    lacking = [name for name in parts if getattr(pipeline, name, None) is None]
    if lacking:
        raise ConfigError(
            f"model: a {type(pipeline).__name__} has no {', '.join(lacking)}; it takes a pipeline laid out as "
            "StableDiffusionPipeline is"
        )
    for name in ("unet", "text_encoder", "vae"):
        if getattr(pipeline, name).dtype != torch.float32:
            raise ConfigError(
                f"model: its {name} is {getattr(pipeline, name).dtype}, and jobs are sampled in float32: load it with "
                "`torch_dtype=torch.float32`, or `.to` it"
            )
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    model = LatentModel(pipeline.tokenizer, pipeline.text_encoder, pipeline.unet, pipeline.vae, scheduler)
    return Given(model, f"{type(pipeline).__name__} of {pipeline.config.get('_name_or_path') or 'parts'}")


def _with(given: Given, job: Job) -> Job:
    """A job whose one base model is a given one. Raises ConfigError for a job of several."""
    plain = job.model_dump(mode="json")
    names = named(plain, "model")
    if len(names) > 1:
        raise ConfigError(f"model: a pipeline stands for one model, and the job names {', '.join(sorted(names))}")
    return Job.model_validate({**_renamed(plain), "safety": job.safety or _usual(given)})


def _usual(given: Given) -> str:
    return NONE if reads_tabletop(given.model.tokenizer.get_vocab()) else USUAL


def _renamed(node: Any) -> Any:
    if isinstance(node, list):
        return [_renamed(own) for own in node]
    if not isinstance(node, dict):
        return node
    return {name: GIVEN if name == "model" and isinstance(own, str) else _renamed(own) for name, own in node.items()}


def _is_withheld(made: Made) -> bool:
    if made.refused is not None:
        told = f"'{made.asked.prompt}', seed {made.asked.seed}, is withheld: {made.refused}"
        warnings.warn(told, PictureWithheld, stacklevel=3)
    return made.refused is not None


def _image(made: Made) -> Image.Image:
    image = Image.fromarray(made.pixels)
    image.info.update(made.record)
    return image
