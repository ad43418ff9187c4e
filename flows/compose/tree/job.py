"""A job: what is composed, written in a grammar in which only what nests can be said.

A *model* with its conditions becomes a *denoiser* by guidance, or several do by Unite; a denoiser becomes a *step*,
plain or guided by energies; steps become an *aggregate* by AMDM, which is outermost.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from sluice.flows.compose.tree.energies import ColourEnergy, EdgesEnergy, Energy, JudgedEnergy, TextEnergy
from sluice.flows.compose.tree.models import (
    Base,
    Boxes,
    ByClass,
    ComposeAndConquer,
    Control,
    MinimalImpact,
    Model,
    MultiControlNet,
    Pixels,
    Placed,
    Reference,
    Share,
)
from sluice.flows.compose.tree.nodes import SOURCES, Node, Scene, kinds_of

Form = Literal["ancestral", "score"]  # as `sampler.Form`, whose module needs torch: half a second before any message


class Guided(Node):
    """Classifier-free guidance of one model."""

    kind: Literal["guided"] = "guided"
    model: Model = Base()
    scale: float = Field(default=5.0, ge=0)


class Weighted(Node):
    """A model in Unite, its weight, and its share of the null prediction."""

    model: Model
    weight: float = Field(default=1.0, ge=0)
    reliability: float = Field(default=1.0, ge=0)


class Unite(Node):
    """Several models as one denoiser, which is guidance already (Unite and Conquer, Eq. 10)."""

    kind: Literal["unite"] = "unite"
    models: tuple[Weighted, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _relies_on_one(self) -> Self:
        if not any(own.reliability for own in self.models):
            raise ValueError("no model is relied on for the null prediction: give one a `reliability` above 0")
        return self


Denoiser = Annotated[Guided | Unite, Field(discriminator="kind")]


class TimeTravel(Node):
    """Each step that begins between two training timesteps is taken so often, its result made noisy again between.

    FreeDoM's text and style take 10 from 800 to 500, and 3 from 600 to 300 (`between: [800, 500]`).
    """

    times: int = Field(ge=1)
    between: tuple[int, int] = (999, 0)

    @model_validator(mode="after")
    def _goes_down(self) -> Self:
        if self.between[0] < self.between[1]:
            raise ValueError(f"timesteps fall, from noise to picture: between [{self.between[1]}, {self.between[0]}]")
        return self


class Ddim(Node):
    """Plain steps, deterministic (eta 0) to ancestral (eta 1)."""

    kind: Literal["ddim"] = "ddim"
    of: Denoiser = Guided()
    eta: float = Field(default=0.0, ge=0, le=1)
    repeats: TimeTravel | None = None


class FreeDom(Node):
    """Steps guided by the plain sum of energies."""

    kind: Literal["freedom"] = "freedom"
    of: Denoiser = Guided()
    energies: tuple[Energy, ...] = Field(min_length=1)
    form: Form = "ancestral"
    repeats: TimeTravel | None = None


class ZMagic(Node):
    """Steps guided by energies that know of each other, by `most_turn` of a pull's own length at most.

    Of 1, 100 and 0, in which they do not, 0 met a face's energies best, and nothing else differed
    (docs/evaluating.md); 1 is what makes it more than a sum. Order, form and `c` are those that measured best.
    """

    kind: Literal["zmagic"] = "zmagic"
    of: Denoiser = Guided()
    energies: tuple[Energy, ...] = Field(min_length=1)
    c: float = Field(default=0.4, ge=0, lt=1)
    curvature: Literal["exact", "finite_difference"] = "exact"
    most_turn: float = Field(default=1.0, ge=0)
    form: Form = "ancestral"
    repeats: TimeTravel | None = None


Step = Annotated[Ddim | FreeDom | ZMagic, Field(discriminator="kind")]


class Amdm(Node):
    """The states of several models drawn together in the first steps (AMDM); the first goes on alone.

    Of 20 steps, six measured best; the paper has three of 50.
    `eta` is how far each model is drawn back to its own state: shares of the distance, or in `eta_absolute` lengths in
    units of the square root of a latent's size. `start`: all from one noise, or each from one of its own.
    """

    kind: Literal["amdm"] = "amdm"
    of: tuple[Step, ...] = Field(min_length=2)
    together: int = Field(default=6, ge=0)
    weights: tuple[Share, ...] = (0.5,)
    how: Literal["slerp", "printed"] = "slerp"
    eta: tuple[Share, ...] | None = None
    eta_absolute: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    start: Literal["shared", "independent"] = "shared"

    @model_validator(mode="after")
    def _has_numbers_for_each(self) -> Self:
        models = len(self.of)
        if len(self.weights) != models - 1:
            raise ValueError(f"{models} models take {models - 1} weights, not {len(self.weights)}")
        if self.eta is not None and self.eta_absolute is not None:
            raise ValueError("how far a model is drawn back is told by `eta` or by `eta_absolute`, not by both")
        etas = self.eta or self.eta_absolute
        if etas is not None and len(etas) != models:
            raise ValueError(f"{models} models take an eta each, not {len(etas)}")
        return self

    @model_validator(mode="after")
    def _goes_one_way(self) -> Self:
        if any(step.repeats for step in self.of):
            raise ValueError(
                "amdm's models walk together, and `repeats` would take one of them back alone: leave it out, or put it "
                "on a step that is the whole picture"
            )
        return self


Whole = Annotated[Ddim | FreeDom | ZMagic | Amdm, Field(discriminator="kind")]


class Job(Node):
    """A picture for every prompt and seed, or `count` of them from the one seed on."""

    prompts: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    count: int = Field(default=1, ge=1)
    size: int = Field(default=64, ge=8)
    steps: int = Field(default=25, ge=1, le=1000)
    batch: int = Field(default=8, ge=1)
    safety: str | None = None
    """What judges the pictures, by name or folder, or `none`; unless given, open-nsfw for all but tabletop's."""
    picture: Whole = Ddim()

    @field_validator("count")
    @classmethod
    def _counts_from_one(cls, count: int, told: ValidationInfo) -> int:
        seeds = told.data.get("seeds", ())
        if count > 1 and len(seeds) > 1:
            raise ValueError(f"it goes on from one seed, and here are {len(seeds)}: tell one of the two")
        return count

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """Those of its pictures, for each prompt."""
        return self.seeds if self.count == 1 else tuple(range(self.seeds[0], self.seeds[0] + self.count))


KINDS: dict[str, tuple[type[Node], ...]] = {
    "a model": (Base, MinimalImpact, MultiControlNet, ComposeAndConquer, ByClass, Boxes, Reference, Pixels),
    "a denoiser": (Guided, Unite),
    "a step": (Ddim, FreeDom, ZMagic),
    "an aggregate": (Amdm,),
    "an energy": (TextEnergy, ColourEnergy, EdgesEnergy, JudgedEnergy),
}
"""What a node of the tree may be."""
UNNAMED: dict[str, type[Node]] = {
    "controls": Control,
    "models": Weighted,
    "things": Placed,
    "repeats": TimeTravel,
    "drawn": Scene,
    "over": Base,
    **SOURCES,
}
"""What has no kind, by where it stands."""


def what_is(kind: object) -> str | None:
    """`a step`, `a model` ... of a kind's name."""
    return next((what for what, nodes in KINDS.items() if node_of(kind) in nodes), None)


def node_of(kind: object) -> type[Node] | None:
    """The node of this kind."""
    return next((node for nodes in KINDS.values() for node in nodes if kind in kinds_of(node)), None)
