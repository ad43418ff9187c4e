"""That a job's models and what acts on them fit together, told by their configurations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from sluice.flows.compose.tree.energies import EdgesEnergy, JudgedEnergy, TextEnergy
from sluice.flows.compose.tree.eyes_fit import energy_fits, shown_fit
from sluice.flows.compose.tree.facts import Facts, Known
from sluice.flows.compose.tree.job import Amdm, Guided, Job, Weighted
from sluice.flows.compose.tree.misfit import Problem
from sluice.flows.compose.tree.models import (
    Base,
    Boxes,
    ByClass,
    ComposeAndConquer,
    Control,
    Model,
    Pixels,
    Reference,
    base_of,
)
from sluice.flows.compose.tree.nodes import Node
from sluice.flows.compose.tree.walk import models_of, walk
from sluice.inference.denoisers import require_known
from sluice.infra.settings import nearest
from sluice.infra.weights.pretrained import ModelFolderError
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.training.networks.made_for import other_width

CONTROLNET = "ControlNetModel"


def models_fit(job: Job, known: Known) -> Iterator[Problem]:
    """What is wrong with a job's models, and where. Raises as `Known`."""
    first = known.model(models_of(job.picture)[0])
    if job.size % first.scale:
        yield ("size",), f"{job.size} is no multiple of {first.scale}, the pixels for one latent"
    for place, node, owner in walk(job):
        if isinstance(owner, Guided | Weighted) and place[-1] == "model":
            yield from ((place, said) for said in _composes(node, models_of(job.picture)[0], known))
        if isinstance(node, Node):
            yield from (((*place, setting), said) for setting, said in _readable(node, owner, known))
    yield from _steps(job, known)
    if isinstance(job.picture, Amdm):
        yield from _schedules(job.picture, known)


def _steps(job: Job, known: Known) -> Iterator[Problem]:
    """Schedules with too few timesteps for a job's steps."""
    for node in models_of(job.picture):
        scheduler = known.model(node).scheduler
        if not known.takes(scheduler, job.steps):
            count = scheduler.config.num_train_timesteps
            yield (
                ("steps",),
                f"the schedule of {_named(node)}, {count} timesteps long, does not go in {job.steps} steps: take fewer",
            )


def _readable(node: Node, owner: Any, known: Known) -> Iterator[tuple[str, str]]:
    """As `_acts`, and of a network whose configuration cannot be read its setting."""
    try:
        yield from _acts(node, owner, known)
    except ModelFolderError as error:
        yield next(name for name in ("by", "network", "fusers", "text") if hasattr(node, name)), str(error)


def _composes(node: Model, first: Model, known: Known) -> Iterator[str]:
    own, wanted = known.model(node), known.model(first)
    if (own.scale, own.unet["in_channels"]) != (wanted.scale, wanted.unet["in_channels"]):
        yield (
            f"{_described(node, own)}, and {_described(first, wanted)}: models compose where they predict the noise of "
            "the same thing"
        )
    try:
        require_known(own.scheduler)
    except ValueError as error:
        yield f"{_named(node)}: {error}"


def _acts(node: Node, owner: Any, known: Known) -> Iterator[tuple[str, str]]:
    """What is wrong with something that acts on a base, by the setting that is to be mended."""
    if isinstance(node, Control):
        config, unet = known.config(node.network), known.model(base_of(owner) or Base()).unet
        if config.get("_class_name") != CONTROLNET:
            yield "network", f"{node.network} is no {CONTROLNET}, which a control is: its config.json says what it is"
        elif said := other_width(config, unet):
            yield "network", f"{node.network} {said}: name one that was trained on this base"
    elif isinstance(node, ComposeAndConquer):
        yield from (("fusers", said) for said in _fusers(node, known.model(node.over), known))
        yield from shown_fit(node, known)
    elif isinstance(node, Reference):
        yield from shown_fit(node, known)
    elif isinstance(node, TextEnergy | EdgesEnergy | JudgedEnergy):
        yield from energy_fits(node, base_of(models_of(owner)[0]) or Base(), known)
    elif isinstance(node, Boxes):
        config, unet = known.config(node.network), known.model(node.over).unet
        if not str(config.get("attention_type")).startswith("gated"):
            yield "network", f"{node.network} is no U-Net that is told boxes (GLIGEN, `attention_type: gated`)"
        elif config.get("cross_attention_dim") != unet["cross_attention_dim"]:
            yield "network", f"{node.network} reads other texts than its base: their widths are not one"
    elif isinstance(node, ByClass):
        yield from _of_class(node, known.config(node.network).get("num_class_embeds"))


def _fusers(node: ComposeAndConquer, base: Facts, known: Known) -> Iterator[str]:
    for told, part in ((node.depths, "local"), (node.exemplars, "global")):
        if told is None:
            continue
        if not known.has(node.fusers, part):
            yield f"{node.fusers} has no {part}/, the fuser of {'depths' if part == 'local' else 'exemplars'}"
            continue
        config = known.config(node.fusers, part)
        made_for = config["controlnet"] if part == "local" else {"cross_attention_dim": config["width"]}
        if said := other_width(made_for, base.unet):
            yield f"{node.fusers}/{part} {said}: name fusers that were trained on this base"


def _of_class(node: ByClass, count: int | None) -> Iterator[tuple[str, str]]:
    if count is None:
        yield "network", f"{node.network} is no U-Net of classes: its configuration has no num_class_embeds"
        return
    label = node.number
    if label is None:
        yield "label", f"'{node.label}' is no shape of tabletop; {nearest(str(node.label), SHAPES)}"
    for setting, own in (("label", label), ("null", node.null)):
        if own is not None and not 0 <= own < count:
            yield setting, f"{node.network} has the classes 0 to {count - 1}, and not {own}"


def _schedules(picture: Amdm, known: Known) -> Iterator[Problem]:
    first, *others = ((number, models_of(own)[0]) for number, own in enumerate(picture.of))
    for number, other in others:
        one, own = (known.model(node).scheduler.alphas_cumprod for node in (first[1], other))
        if not torch.equal(one, own):
            yield (
                ("picture", "of", number),
                f"{_named(other)} has another noise schedule than {_named(first[1])}: after equally many steps amdm's "
                "models must be equally noisy; unite asks each at its own time",
            )


def _named(node: Model) -> str:
    """What a node is and which weights make it so."""
    if isinstance(node, ByClass | Boxes | Reference):
        return f"{node.kind} {node.network}"
    return f"{node.kind} {node.model if isinstance(node, Pixels) else (base_of(node) or Base()).model}"


def _described(node: Model, facts: Facts) -> str:
    channels = facts.unet["in_channels"]
    if isinstance(node, Pixels):
        return f"{_named(node)} is of pixels, {channels} channels of them"
    return f"{_named(node)} is of latents, {channels} channels of them, {facts.scale} pixels each"
