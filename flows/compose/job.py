"""A job: what is composed, written in a grammar in which only what nests can be said.

A *model* with its conditions becomes a *denoiser* by guidance, or several do by Unite; a denoiser becomes a *step*,
plain or guided by energies; steps become an *aggregate* by AMDM, which is outermost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Node(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Control(Node):
    """A ControlNet by name or folder, its image, how strongly it speaks, and where: all over, or where `speaks` is."""

    network: str
    image: Path
    speaks: Path | None = None
    strength: float = Field(default=1.0, ge=0)


class Base(Node):
    """A latent diffusion model under its prompt alone."""

    kind: Literal["base"] = "base"
    model: str = "tabletop"
    prompt: str | None = None
    """Instead of the job's."""


class MinimalImpact(Node):
    """Controls injected with minimal impact, combined by a rule (MIControlNet)."""

    kind: Literal["minimal_impact"] = "minimal_impact"
    over: Base = Base()
    controls: tuple[Control, ...] = Field(min_length=1)
    rule: Literal["min_norm", "unit_min_norm", "as_printed"] = "min_norm"


class MultiControlNet(Node):
    """Controls added, each times its strength."""

    kind: Literal["multi_controlnet"] = "multi_controlnet"
    over: Base = Base()
    controls: tuple[Control, ...] = Field(min_length=1)


class ComposeAndConquer(Node):
    """Foreground and background apart, by the fusers in a folder: depths for `local`, exemplars for `global`."""

    kind: Literal["compose_and_conquer"] = "compose_and_conquer"
    over: Base = Base()
    fusers: str
    mask: Path
    depths: tuple[Path, Path] | None = None
    exemplars: tuple[Path, Path] | None = None
    lambdas: tuple[float, float] = (1.0, 1.0)
    guidance: Literal["exclude", "hadamard"] = "exclude"

    @model_validator(mode="after")
    def _is_told_something(self) -> Self:
        if self.depths is None and self.exemplars is None:
            raise ValueError("it takes `depths` or `exemplars`, of the foreground and the background, or both")
        return self


Model = Annotated[Base | MinimalImpact | MultiControlNet | ComposeAndConquer, Field(discriminator="kind")]


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


Denoiser = Annotated[Guided | Unite, Field(discriminator="kind")]


OF_FACES = ("sface", ".onnx", "face-landmarks", ".task")
"""How networks are called that see a face alone, by name or file."""


class TextEnergy(Node):
    """As far as CLIP's embeddings of picture and text are apart."""

    kind: Literal["text"] = "text"
    text: str
    rho: float = Field(gt=0)
    silent_from: int = -1


class ColourEnergy(Node):
    """As far as the colour inside a mask is from a wanted one, `colour` in 0 to 255."""

    kind: Literal["colour"] = "colour"
    region: Path
    colour: tuple[int, int, int]
    rho: float = Field(gt=0)
    silent_from: int = -1


class EdgesEnergy(Node):
    """As far as the edges are from those of a picture: soft ones by a formula, or those of HED, by name or file."""

    kind: Literal["edges"] = "edges"
    by: str | None = None
    image: Path
    rho: float = Field(gt=0)
    silent_from: int = -1


class JudgedEnergy(Node):
    """As far as something that a network sees in a picture is from what it sees in `image`.

    `by` is that network: a folder of one that knows tabletop, from pictures or from latents, and without it the
    family's own; or a file of one that knows photographs. `faces` finds the faces for those that see a face alone.
    """

    kind: Literal["depth", "parsing", "landmarks", "pose", "style", "content", "identity"]
    image: Path
    by: str
    faces: str | None = None
    rho: float = Field(gt=0)
    silent_from: int = -1

    @model_validator(mode="before")
    @classmethod
    def _is_judged_by_tabletop(cls, values: Any) -> Any:
        own = "identity" if values.get("kind") == "identity" else "judges"
        told = {"by": f"tabletop/{own}", **values}
        return {"faces": "yunet", **told} if str(told["by"]).endswith(OF_FACES) else told


Energy = Annotated[TextEnergy | ColourEnergy | EdgesEnergy | JudgedEnergy, Field(discriminator="kind")]


class Ddim(Node):
    """Plain steps, deterministic (eta 0) to ancestral (eta 1)."""

    kind: Literal["ddim"] = "ddim"
    of: Denoiser = Guided()
    eta: float = Field(default=0.0, ge=0, le=1)


class FreeDom(Node):
    """Steps guided by the plain sum of energies."""

    kind: Literal["freedom"] = "freedom"
    of: Denoiser = Guided()
    energies: tuple[Energy, ...] = Field(min_length=1)


class ZMagic(Node):
    """Steps guided by energies that know of each other."""

    kind: Literal["zmagic"] = "zmagic"
    of: Denoiser = Guided()
    energies: tuple[Energy, ...] = Field(min_length=1)
    c: float = Field(default=0.4, ge=0, lt=1)
    curvature: Literal["exact", "finite_difference"] = "exact"


Step = Annotated[Ddim | FreeDom | ZMagic, Field(discriminator="kind")]


class Amdm(Node):
    """The states of several models drawn together in the first steps (AMDM); the first goes on alone."""

    kind: Literal["amdm"] = "amdm"
    of: tuple[Ddim, ...] = Field(min_length=2)
    together: int = Field(default=3, ge=0)
    weights: tuple[float, ...] = (0.5,)
    how: Literal["slerp", "printed"] = "slerp"

    @model_validator(mode="after")
    def _has_a_weight_for_each(self) -> Self:
        if len(self.weights) != len(self.of) - 1:
            raise ValueError(f"{len(self.of)} models take {len(self.of) - 1} weights, not {len(self.weights)}")
        return self


Whole = Annotated[Ddim | FreeDom | ZMagic | Amdm, Field(discriminator="kind")]


class Job(Node):
    """A picture for every prompt and seed."""

    prompts: tuple[str, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    size: int = Field(default=64, ge=8)
    steps: int = Field(default=25, ge=1, le=1000)
    batch: int = Field(default=8, ge=1)
    safety: str | None = None
    """What judges the pictures, by name or folder, or `none`; unless given, open-nsfw for all but tabletop's."""
    picture: Whole = Ddim()


KINDS: dict[str, tuple[type[Node], ...]] = {
    "a model": (Base, MinimalImpact, MultiControlNet, ComposeAndConquer),
    "a denoiser": (Guided, Unite),
    "a step": (Ddim, FreeDom, ZMagic),
    "an aggregate": (Amdm,),
    "an energy": (TextEnergy, ColourEnergy, EdgesEnergy, JudgedEnergy),
}
"""What a node of the tree may be."""
LISTED: dict[object, type[Node]] = {"controls": Control, "models": Weighted}
"""What stands in lists and has no kind."""


def what_is(kind: object) -> str | None:
    """`a step`, `a model` ... of a kind's name."""
    return next((what for what, nodes in KINDS.items() if node_of(kind) in nodes), None)


def node_of(kind: object) -> type[Node] | None:
    """The node of this kind."""
    return next((node for nodes in KINDS.values() for node in nodes if kind in _kinds(node)), None)


def _kinds(node: type[Node]) -> tuple[object, ...]:
    return get_args(node.model_fields["kind"].annotation)
