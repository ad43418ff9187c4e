"""Texts that are longer than what reads them: their ends are not heard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sluice.flows.compose.bound.parts import Parts
from sluice.flows.compose.tree.energies import TextEnergy
from sluice.flows.compose.tree.job import Amdm, Ddim, Job, Step
from sluice.flows.compose.tree.models import Base, Boxes, ByClass, base_of
from sluice.flows.compose.tree.walk import models_of


def cut(job: Job, parts: Parts) -> list[str]:
    """Those of one picture's job: prompts, boxes' phrases, and what energies ask for."""
    return list(dict.fromkeys(text for base, text in _texts(job) if _is_cut(text, parts.model(base).tokenizer)))


def _texts(job: Job) -> Iterator[tuple[Base, str]]:
    """Each with the model whose text encoder reads it."""
    for step in job.picture.of if isinstance(job.picture, Amdm) else (job.picture,):
        for model in models_of(step):
            base = base_of(model)
            if base is not None and not isinstance(model, ByClass):
                yield base, job.prompts[0] if base.prompt is None else base.prompt
            if isinstance(model, Boxes):
                yield from ((model.over, own.phrase) for own in model.things)
        yield from _asked_for(step)


def _asked_for(step: Step) -> Iterator[tuple[Base, str]]:
    along = base_of(models_of(step)[0]) or Base()
    energies = () if isinstance(step, Ddim) else step.energies
    yield from ((along, own.text) for own in energies if isinstance(own, TextEnergy))


def _is_cut(text: str, tokenizer: Any) -> bool:
    return bool(len(tokenizer(text).input_ids) > tokenizer.model_max_length)
