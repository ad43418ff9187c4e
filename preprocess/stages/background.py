"""Stage for the background: the image with its salient object taken out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from sluice.preprocess.graph import UNFIT, LearnedParameters, Stage
from sluice.preprocess.perception.diffusion_inpaint import EMPTY_SCENERY, DiffusionInpainter, Painting
from sluice.preprocess.record import Array, Record

Painter = Callable[[Sequence[Array], Sequence[Array], Sequence[str]], list[Array]]
"""Images, holes and keys of equal number to painted images."""


class BackgroundParameters(LearnedParameters):
    """`model`: a Stable Diffusion inpainting pipeline; `telea`, `navier-stokes` (no weights); `mi-gan` (an ONNX file).

    `dilation`: the margin around the mask, the side in pixels of a square at a short side of 512. The rest, from CnC
    (Sec. 3.1 and its code), is for diffusion alone; with `noise` at 0 it paints what is likeliest, at 1 one of many
    that could be.
    """

    model: str = "sd15-inpaint"
    dilation: int = Field(default=50, ge=1)
    prompt: str = EMPTY_SCENERY.prompt
    negative_prompt: str = EMPTY_SCENERY.negative_prompt
    steps: int = Field(default=EMPTY_SCENERY.steps, ge=1)
    guidance: float = Field(default=EMPTY_SCENERY.guidance, ge=1)
    strength: float = Field(default=EMPTY_SCENERY.strength, gt=0, le=1)
    seed: int = EMPTY_SCENERY.seed
    noise: float = Field(default=EMPTY_SCENERY.noise, ge=0, le=1)

    @model_validator(mode="after")
    def _begins_with_noise_alone(self) -> Self:
        if self.noise < 1 and self.strength < 1:
            raise ValueError("less `noise` is of pictures that begin with nothing else: leave `strength` at 1")
        return self


class Background(Stage[BackgroundParameters]):
    """The image inpainted under its dilated salient mask; pixels outside are the image's own before JPEG.

    A record whose hole covers everything is filtered out where the inpainter needs a rim to start from.
    """

    name = "background"
    slow = True
    classical = frozenset({"telea", "navier-stokes"})
    fallback = "telea"
    parameters_type = BackgroundParameters
    reads = ("jpg", "mask.png")
    writes = ("bg.jpg",)
    paint: Painter

    @property
    def generative(self) -> bool:
        """Whether a diffusion model paints, and not a classical method or a feed-forward network."""
        model = self.parameters.model
        return model not in self.classical and model != "mi-gan" and not model.endswith(".onnx")

    @property
    def takes_batches(self) -> bool:
        return self.generative

    def marks(self) -> tuple[str, ...]:
        return () if self.generative else (UNFIT,)

    def open(self, weights: Path | None) -> None:
        if weights is None:
            self.paint = self._classical()
        elif self.generative:
            self.paint = self._diffusion(weights)
        else:
            self.paint = self._migan(weights)

    def __call__(self, records: Sequence[Record]) -> None:
        from sluice.preprocess.perception.inpaint import hole

        todo: list[Record] = []
        holes: list[Array] = []
        for record in records:
            where = hole(record["mask.png"], self.parameters.dilation)
            if where.all() and not self.generative:
                record.reject("the dilated mask covers the whole image: no background is left", "filtered")
                continue
            todo.append(record)
            holes.append(where)
        painted = self.paint([record["jpg"] for record in todo], holes, [record.key for record in todo])
        for record, background in zip(todo, painted, strict=True):
            record["bg.jpg"] = background

    def _classical(self) -> Painter:
        from sluice.preprocess.perception.telea import inpaint

        method: Literal["telea", "navier-stokes"] = "telea" if self.parameters.model == "telea" else "navier-stokes"
        return lambda images, holes, _: [
            inpaint(image, hole, method) for image, hole in zip(images, holes, strict=True)
        ]

    def _migan(self, weights: Path) -> Painter:
        from sluice.preprocess.perception.migan import MiGan

        network = MiGan(weights, self.parameters.cpus, self.parameters.gpus)
        return lambda images, holes, _: [network(image, hole) for image, hole in zip(images, holes, strict=True)]

    def _diffusion(self, weights: Path) -> Painter:
        from sluice.preprocess.perception.device import device, dtype

        p = self.parameters
        place = device(p.gpus)
        painting = Painting(p.prompt, p.negative_prompt, p.steps, p.guidance, p.strength, p.seed, p.noise)
        return DiffusionInpainter(weights, place, dtype(p.precision, place), self.batch_size, painting)
