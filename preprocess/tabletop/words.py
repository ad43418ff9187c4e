"""Captions of scenes, from a small grammar in which no word has two meanings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from sluice.preprocess.tabletop.colours import COLOURS, MATERIALS, TINTS
from sluice.preprocess.tabletop.figure import joints
from sluice.preprocess.tabletop.scene import Figure, Item, Plate, Scene, Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.textures import TEXTURES

# Patterns and styles have words of their own where a thing's texture has taken the usual one.
WALL_WORDS = {
    "plain": "bare wall",
    "brick": "brick wall",
    "stripes": "pinstripe wall",
    "tiles": "tiled wall",
    "planks": "panelled wall",
    "gradient": "shaded wall",
}
STYLE_WORDS = {
    "soft": "softly lit",
    "flat": "flat poster",
    "hatched": "pen drawing",
    "dotted": "halftone print",
    "watercolour": "watercolour painting",
}
RELATIONS = ("left of", "right of", "behind", "in front of")
ON, BEFORE = ("on", "standing on", "set on"), ("before", "against")
SMILE = 0.35
# Things closer than this, in shorter sides of the picture, are neither left nor right of each other.
BESIDE = 0.12
MOST_NAMED = 4


def plain_caption(thing: Thing) -> str:
    """One object by itself, as in "a red striped star"."""
    texture = "" if thing.texture == "plain" else f"{thing.texture} "
    return with_article(f"{thing.colour} {texture}{thing.shape}")


def caption(scene: Scene, variant: int = 0, colours: bool = True) -> str:
    """What is to be seen; each variant (0 or more) words it anew, with the things' `colours` or without.

    Names up to four things, nearest first, perhaps how two of them stand to each other, the wall, the table, the style.
    """
    rng = np.random.default_rng([scene.seed, scene.index, 1 + variant])
    named = sorted(scene.things, key=lambda item: item.z)[:MOST_NAMED]
    parts = [_things(scene, named, colours, rng)]
    if scene.things and rng.random() < 0.6:
        parts.append(f"{_pick(rng, ON)} {with_article(scene.table.material)} table")
    if rng.random() < 0.6:
        parts.append(f"{_pick(rng, BEFORE)} {with_article(scene.wall.tint)} {WALL_WORDS[scene.wall.pattern]}")
    text = " ".join(parts)
    style = STYLE_WORDS[scene.style]
    place = rng.random()
    if place < 0.35:
        return f"{text}, {style}"
    return f"{style}: {text}" if place < 0.7 else text


def captions(scene: Scene, count: int = 3) -> list[str]:
    """Several wordings, each once."""
    return list(dict.fromkeys(caption(scene, variant) for variant in range(count)))


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word that captions are made of, sorted; their only marks are the comma and the colon."""
    phrases = [*SHAPES, *COLOURS, *TEXTURES, *TINTS, *MATERIALS, *WALL_WORDS.values(), *STYLE_WORDS.values()]
    phrases += [*RELATIONS, *ON, *BEFORE, "a an and table empty"]
    phrases += ["wooden figure waving with raised arms", "smiling sad face plate"]
    words = {word for phrase in phrases for word in phrase.split()}
    return tuple(sorted(words - {"plain"}))


def _things(scene: Scene, named: Sequence[Item], colours: bool, rng: np.random.Generator) -> str:
    """Things; in half of the captions the first and the last one come last, by how they stand to each other."""
    names = [_name(item, colours, rng) for item in named]
    if not names:
        return f"an empty {scene.table.material} table"
    if len(names) > 1 and rng.random() < 0.5:
        one, other = (0, -1) if rng.random() < 0.5 else (-1, 0)
        names = [*names[1:-1], f"{names[one]} {relation(named[one], named[other], scene)} {names[other]}"]
    text = names[0]
    for i, name in enumerate(names[1:], start=2):
        text += (" and " if i == len(names) else ", ") + name
    return text


def relation(item: Item, other: Item, scene: Scene) -> str:
    """Where a thing is, seen from another: beside it where they are apart in the picture, else by their distance."""
    apart = scene.camera.place(item.x, 0, item.z)[0] - scene.camera.place(other.x, 0, other.z)[0]
    if abs(apart) >= BESIDE:
        return "left of" if apart < 0 else "right of"
    return "in front of" if item.z < other.z else "behind"


def _name(item: Item, colours: bool, rng: np.random.Generator) -> str:
    if isinstance(item, Figure):
        return _figure_name(item)
    if isinstance(item, Plate):
        smile = item.expression.smile
        mood = "smiling " if smile > SMILE else "sad " if smile < -SMILE else ""
        return f"a {mood}face plate"
    words = [item.colour] if colours else []
    if item.texture != "plain":
        words.insert(len(words) if rng.random() < 0.7 else 0, item.texture)
    return with_article(" ".join([*words, item.shape]))


def _figure_name(figure: Figure) -> str:
    """By how many of its hands are above its neck."""
    points = joints(figure.pose)
    raised = sum(bool(points[wrist, 1] > points[1, 1]) for wrist in (4, 7))
    return "a wooden figure" + ("", " waving", " with raised arms")[raised]


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.random() * len(choices))]


def with_article(phrase: str) -> str:
    """The phrase after "a", or "an" before a vowel."""
    return f"an {phrase}" if phrase[0] in "aeiou" else f"a {phrase}"
