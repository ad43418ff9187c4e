"""Eight colours that stay within their HSV ranges in any light, texture and style, and the muted tints around them."""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[float, float, float]
HSV = tuple[int, int, int]


def _rgb(digits: str) -> RGB:
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


@dataclass(frozen=True)
class Colour:
    """A thing's colour: `body`, `marks` of a texture on it, what share of it they may cover, how deep its shade gets.

    `ranges` are OpenCV's HSV (hue 0 to 180), lowest and highest, both included: COCO-MIG's, where it has the colour.
    Marks of black and white are out of range, so they cover less.
    """

    body: RGB
    marks: RGB
    ranges: tuple[tuple[HSV, HSV], ...]
    share: float = 0.42
    shade: float = 1.0


COLOURS: dict[str, Colour] = {
    "red": Colour(_rgb("d2282c"), _rgb("f7a49c"), (((0, 50, 70), (9, 255, 255)), ((159, 50, 70), (180, 255, 255)))),
    "blue": Colour(_rgb("2858c4"), _rgb("9cc0f4"), (((90, 50, 70), (128, 255, 255)),)),
    "green": Colour(_rgb("2f9447"), _rgb("aadf9e"), (((36, 50, 70), (89, 255, 255)),)),
    "yellow": Colour(_rgb("f5e12e"), _rgb("b3a21a"), (((25, 50, 70), (35, 255, 255)),)),
    "black": Colour(_rgb("1a1a1c"), _rgb("686a72"), (((0, 0, 0), (180, 255, 30)),), share=0.26),
    "white": Colour(_rgb("fcfbf9"), _rgb("94a4ba"), (((0, 0, 221), (180, 43, 255)),), share=0.24, shade=0.22),
    "brown": Colour(_rgb("7c4d2a"), _rgb("d2a570"), (((6, 43, 35), (25, 255, 255)),)),
    "purple": Colour(_rgb("8038a4"), _rgb("d2a6ea"), (((130, 50, 70), (158, 255, 255)),)),
}

# Muted, so that things stand out from them: the wall, and what its pattern is drawn with.
TINTS: dict[str, tuple[RGB, RGB]] = {
    "cream": (_rgb("eadfc8"), _rgb("cdb892")),
    "sage": (_rgb("a9b8a0"), _rgb("d3dbc9")),
    "rose": (_rgb("d9b3ac"), _rgb("efd9d2")),
    "sand": (_rgb("d2bd98"), _rgb("ebdfc6")),
    "teal": (_rgb("7fa5a6"), _rgb("c2d6d2")),
    "lilac": (_rgb("b9b0cb"), _rgb("ded9e6")),
    "slate": (_rgb("808c9c"), _rgb("b5bec8")),
    "clay": (_rgb("bf937c"), _rgb("e3cbb9")),
}

# A table's ground and its grain, veins, speckles or bands.
MATERIALS: dict[str, tuple[RGB, RGB]] = {
    "oak": (_rgb("cda676"), _rgb("96703f")),
    "walnut": (_rgb("80604a"), _rgb("4c362a")),
    "marble": (_rgb("e3e1dd"), _rgb("99a0a8")),
    "linen": (_rgb("ded6c5"), _rgb("8fa0ab")),
    "granite": (_rgb("8c9093"), _rgb("565b62")),
}
