"""A job's models with their conditions: what gives two predictions, one under these and one under none."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sluice.flows.compose.tree.nodes import Image, Node
from sluice.preprocess.tabletop.shapes import SHAPES


class Base(Node):
    """A latent diffusion model under its prompt alone."""

    kind: Literal["base"] = "base"
    model: str = "tabletop"
    prompt: str | None = None
    """Instead of the job's."""


class ComposeAndConquer(Node):
    """Foreground and background apart, by the fusers in a folder: depths for `local`, exemplars for `global`."""

    kind: Literal["compose_and_conquer"] = "compose_and_conquer"
    over: Base = Base()
    fusers: str
    mask: Image
    depths: tuple[Image, Image] | None = None
    exemplars: tuple[Image, Image] | None = None
    lambdas: tuple[float, float] = (1.0, 1.0)
    guidance: Literal["exclude", "hadamard", "none"] = "exclude"

    @model_validator(mode="after")
    def _is_told_something(self) -> Self:
        if self.depths is None and self.exemplars is None:
            raise ValueError("it takes `depths` or `exemplars`, of the foreground and the background, or both")
        return self


Ground = Annotated[Base | ComposeAndConquer, Field(discriminator="kind")]
"""What controls act on."""


class Control(Node):
    """A ControlNet by name or folder, its image, how strongly it speaks, and where: all over, or where `speaks` is."""

    network: str
    image: Image
    speaks: Image | None = None
    strength: float = Field(default=1.0, ge=0)


class MinimalImpact(Node):
    """Controls injected with minimal impact, combined by a rule, none multiplied with more than `most_gain`.

    The rule is the one that measured best. Networks are trained with gains to 20; to 80, two in conflict are obeyed
    more, and areas that are silent are left alone less (docs/evaluating.md).
    """

    kind: Literal["minimal_impact"] = "minimal_impact"
    over: Ground = Base()
    controls: tuple[Control, ...] = Field(min_length=1)
    rule: Literal["unit_min_norm", "min_norm", "as_printed"] = "unit_min_norm"
    most_gain: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _is_of_two(self) -> Self:
        require_two(self.rule, self.controls)
        return self


class MultiControlNet(Node):
    """Controls added, each times its strength, or in a balanced combination by one of MIControlNet's rules."""

    kind: Literal["multi_controlnet"] = "multi_controlnet"
    over: Ground = Base()
    controls: tuple[Control, ...] = Field(min_length=1)
    rule: Literal["sum", "min_norm", "unit_min_norm", "as_printed"] = "sum"

    @model_validator(mode="after")
    def _is_of_two(self) -> Self:
        require_two(self.rule, self.controls)
        return self


def require_two(rule: str, controls: tuple[Control, ...]) -> None:
    """Raises ValueError for other numbers of controls under the rule that is printed for two (MIControlNet, Eq. 12)."""
    if rule == "as_printed" and len(controls) != 2:
        raise ValueError(f"the rule as_printed is of two controls, and here are {len(controls)}: take unit_min_norm")


class ByClass(Node):
    """A U-Net of classes by a schedule of its own, in the latents of `over`, whose prompt it does not read.

    `label` is a number, or the name of one of tabletop's shapes; `null` the number that stands for no class, unless
    given the last.
    """

    kind: Literal["class"] = "class"
    over: Base = Base()
    network: str = "tabletop/unet_class"
    label: int | str
    null: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _reads_no_prompt(self) -> Self:
        if self.over.prompt is not None:
            raise ValueError("a model of classes reads no prompt: leave it out, or unite it with a model that does")
        return self

    @property
    def number(self) -> int | None:
        """The label's, and None of a name that no shape has."""
        if isinstance(self.label, int):
            return self.label
        return list(SHAPES).index(self.label) if self.label in SHAPES else None


Share = Annotated[float, Field(ge=0, le=1)]


class Placed(Node):
    """What is where: left, top, right, bottom as shares of the picture."""

    phrase: str
    box: tuple[Share, Share, Share, Share]

    @model_validator(mode="after")
    def _has_a_size(self) -> Self:
        left, top, right, bottom = self.box
        if not (left < right and top < bottom):
            raise ValueError("a box is left, top, right, bottom in shares of the picture, as in [0.1, 0.5, 0.4, 0.9]")
        return self


class Boxes(Node):
    """A U-Net that knows where (GLIGEN), told in the words of `over`."""

    kind: Literal["boxes"] = "boxes"
    over: Base = Base()
    network: str = "tabletop/unet_boxes"
    things: tuple[Placed, ...] = Field(min_length=1, max_length=30)


class Reference(Node):
    """What a reference picture shows, by an IP-Adapter on the U-Net of `over`, so strongly as `scale`."""

    kind: Literal["reference"] = "reference"
    over: Base = Base()
    network: str = "tabletop/ip_adapter"
    image: Image
    scale: float = Field(default=1.0, ge=0)


class Pixels(Node):
    """A U-Net of pixels that takes no condition: what is asked of its pictures comes from energies or other models."""

    kind: Literal["pixels"] = "pixels"
    model: str = "tabletop/unet_face"


Model = Annotated[
    Base | MinimalImpact | MultiControlNet | ComposeAndConquer | ByClass | Boxes | Reference | Pixels,
    Field(discriminator="kind"),
]


def base_of(node: Model) -> Base | None:
    """The latent diffusion model below a node; None for one of pixels."""
    if isinstance(node, Base | Pixels):
        return node if isinstance(node, Base) else None
    return base_of(node.over)
