"""What scenes may hold: how many objects, of which looks, before which walls, and how often figure and plate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.infra.errors import SluiceError
from sluice.preprocess.tabletop.backdrop import TABLES, WALLS
from sluice.preprocess.tabletop.colours import COLOURS, TINTS
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.styles import STYLES
from sluice.preprocess.tabletop.textures import TEXTURES


class LawError(SluiceError):
    """A law asks for what the renderer does not have."""


MOST_OBJECTS = 6


@dataclass(frozen=True)
class SceneLaw:
    """From how many objects to how many (0 to 6), from which everything is drawn, and how likely figure and plate are.

    Sizes are ranges in metres; objects of crowded scenes stay in the lower part of theirs. Things stand between two
    depths, 0 the table's near edge and 1 its far one, and use so much of the picture's width (`spread`, 0 to 1).
    Raises LawError for a name that does not exist, an empty choice, or a number out of its range.
    """

    objects: tuple[int, int] = (1, MOST_OBJECTS)
    shapes: tuple[str, ...] = tuple(SHAPES)
    colours: tuple[str, ...] = tuple(COLOURS)
    textures: tuple[str, ...] = tuple(TEXTURES)
    walls: tuple[str, ...] = tuple(WALLS)
    tints: tuple[str, ...] = tuple(TINTS)
    tables: tuple[str, ...] = tuple(TABLES)
    styles: tuple[str, ...] = tuple(STYLES)
    figure: float = 0.2
    plate: float = 0.15
    size: tuple[float, float] = (0.22, 0.46)
    figure_size: tuple[float, float] = (0.5, 0.62)
    plate_size: tuple[float, float] = (0.34, 0.46)
    depth: tuple[float, float] = (0, 1)
    spread: float = 1

    def __post_init__(self) -> None:
        known: dict[str, Mapping[str, object]] = {
            "shapes": SHAPES,
            "colours": COLOURS,
            "textures": TEXTURES,
            "walls": WALLS,
            "tints": TINTS,
            "tables": TABLES,
            "styles": STYLES,
        }
        for field, names in known.items():
            _check_choice(field, getattr(self, field), names)
        low, high = self.objects
        if not 0 <= low <= high <= MOST_OBJECTS:
            raise LawError(f"objects = {self.objects}: expected from how many to how many, within 0 to {MOST_OBJECTS}")
        if not 0 <= self.depth[0] <= self.depth[1] <= 1:
            raise LawError(f"depth = {self.depth}: expected a range within 0 (near) to 1 (far)")
        for field in ("figure", "plate", "spread"):
            if not 0 <= getattr(self, field) <= 1:
                raise LawError(f"{field} = {getattr(self, field)}: expected a number from 0 to 1")
        for field in ("size", "figure_size", "plate_size"):
            least, most = getattr(self, field)
            if not 0.05 <= least <= most <= 1:
                raise LawError(f"{field} = ({least}, {most}): expected a range of heights within 0.05 to 1 metre")


def _check_choice(field: str, chosen: tuple[str, ...], known: Mapping[str, object]) -> None:
    if not chosen:
        raise LawError(f"{field} is empty; name at least one of {', '.join(known)}")
    for name in chosen:
        if name not in known:
            raise LawError(f"{field}: there is no '{name}'; there are: {', '.join(known)}")


LAWS: dict[str, SceneLaw] = {
    "tabletop": SceneLaw(),
    "objects": SceneLaw(figure=0, plate=0),
    "one": SceneLaw(objects=(1, 1), figure=0, plate=0),
    "two": SceneLaw(objects=(2, 2), figure=0, plate=0),
    "figures": SceneLaw(objects=(0, 2), figure=1, plate=0),
    "faces": SceneLaw(objects=(0, 0), figure=0, plate=1, plate_size=(0.58, 0.66), depth=(0, 0.12), spread=0.4),
}


def law_named(name: str) -> SceneLaw:
    """One of LAWS. Raises LawError for another name."""
    if name not in LAWS:
        raise LawError(f"there is no law '{name}'; there are: {', '.join(LAWS)}")
    return LAWS[name]
