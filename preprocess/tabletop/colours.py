"""Eight colours that stay within their HSV ranges in any light, texture and style, and the muted tints around them."""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[float, float, float]
HSV = tuple[int, int, int]


def rgb(digits: str) -> RGB:
    """A colour from six hexadecimal digits, each part 0 to 1."""
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def rgbs(digits: str) -> tuple[RGB, ...]:
    """Several colours, as hexadecimal digits with spaces between them."""
    return tuple(rgb(one) for one in digits.split())


def toward(first: RGB, second: RGB, part: float) -> RGB:
    """A mixture of two colours: 0 the first, 1 the second."""
    red, green, blue = (a + (b - a) * part for a, b in zip(first, second, strict=True))
    return red, green, blue


def along(palette: tuple[RGB, ...], value: float) -> RGB:
    """The colour at 0 to 1 along a palette."""
    place = value * (len(palette) - 1)
    low = min(int(place), len(palette) - 2)
    return toward(palette[low], palette[low + 1], place - low)


@dataclass(frozen=True)
class Colour:
    """A thing's colour: `body`, `marks` of a texture on it, what share of it they may cover; how deep its shade and how
    dark its outline get, 1 being usual.

    `ranges` are OpenCV's HSV (hue 0 to 180), lowest and highest, both included: COCO-MIG's, where it has the colour.
    Marks of black and white are out of range, so they cover less.
    """

    body: RGB
    marks: RGB
    ranges: tuple[tuple[HSV, HSV], ...]
    share: float = 0.42
    shade: float = 1.0
    ink: float = 1.0


COLOURS: dict[str, Colour] = {
    "red": Colour(rgb("d2282c"), rgb("f7a49c"), (((0, 50, 70), (9, 255, 255)), ((159, 50, 70), (180, 255, 255)))),
    "blue": Colour(rgb("2858c4"), rgb("9cc0f4"), (((90, 50, 70), (128, 255, 255)),)),
    "green": Colour(rgb("2f9447"), rgb("aadf9e"), (((36, 50, 70), (89, 255, 255)),)),
    "yellow": Colour(rgb("f5e12e"), rgb("b3a21a"), (((25, 50, 70), (35, 255, 255)),)),
    "black": Colour(rgb("17171a"), rgb("6c6e76"), (((0, 0, 0), (180, 255, 30)),), share=0.2),
    "white": Colour(rgb("fcfbf9"), rgb("94a4ba"), (((0, 0, 221), (180, 43, 255)),), share=0.18, shade=0.15, ink=0.5),
    "brown": Colour(rgb("7c4d2a"), rgb("d2a570"), (((6, 43, 35), (25, 255, 255)),)),
    "purple": Colour(rgb("8038a4"), rgb("d2a6ea"), (((130, 50, 70), (158, 255, 255)),)),
}

# Muted, so that things stand out from them: the wall, and what its pattern is drawn with.
TINTS: dict[str, tuple[RGB, RGB]] = {
    "cream": (rgb("eadfc8"), rgb("cdb892")),
    "sage": (rgb("a9b8a0"), rgb("d3dbc9")),
    "rose": (rgb("d9b3ac"), rgb("efd9d2")),
    "sand": (rgb("d2bd98"), rgb("ebdfc6")),
    "teal": (rgb("7fa5a6"), rgb("c2d6d2")),
    "lilac": (rgb("b9b0cb"), rgb("ded9e6")),
    "slate": (rgb("808c9c"), rgb("b5bec8")),
    "clay": (rgb("bf937c"), rgb("e3cbb9")),
}

# A table's ground and its grain, veins, speckles or bands.
MATERIALS: dict[str, tuple[RGB, RGB]] = {
    "oak": (rgb("cda676"), rgb("96703f")),
    "walnut": (rgb("80604a"), rgb("4c362a")),
    "marble": (rgb("e3e1dd"), rgb("99a0a8")),
    "linen": (rgb("ded6c5"), rgb("8fa0ab")),
    "granite": (rgb("8c9093"), rgb("565b62")),
}
