"""A job's energies: what a picture that a step foresees is to be like, and by which network's eyes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from sluice.flows.compose.tree.nodes import Image, Node

OF_FACES = ("sface", ".onnx", "face-landmarks", ".task")
"""How networks are called that see a face alone, by name or file."""
OF_A_FACE = ("identity", "landmarks")
"""The kinds of which they tell."""
BY_FILE = (*OF_A_FACE, "parsing", "style", "content")
"""The kinds of which a file of a network of photographs tells."""


Level = Annotated[int, Field(ge=0, le=255)]


class TextEnergy(Node):
    """As far as CLIP's embeddings of picture and text are apart."""

    kind: Literal["text"] = "text"
    text: str
    rho: float = Field(gt=0)
    silent_from: int = -1


class ColourEnergy(Node):
    """As far as the colour inside a mask is from a wanted one, `colour` in 0 to 255."""

    kind: Literal["colour"] = "colour"
    region: Image
    colour: tuple[Level, Level, Level]
    rho: float = Field(gt=0)
    silent_from: int = -1


class EdgesEnergy(Node):
    """As far as the edges are from those of a picture: soft ones by a formula, or those of HED, by name or file."""

    kind: Literal["edges"] = "edges"
    by: str | None = None
    image: Image
    rho: float = Field(gt=0)
    silent_from: int = -1


class JudgedEnergy(Node):
    """As far as something that a network sees in a picture is from what it sees in `image`.

    `by` is that network: a folder of one that knows tabletop, from pictures or from latents, and without it the
    family's own; or a file of one that knows photographs. `faces` finds the faces for those that see a face alone.
    """

    kind: Literal["depth", "parsing", "landmarks", "pose", "style", "content", "identity"]
    image: Image
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
