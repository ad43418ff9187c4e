"""That captions say what is there: read back and compared with the scene."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from sluice.preprocess.tabletop import LAWS, Scene, caption, captions, draw_scene, plain_caption, vocabulary
from sluice.preprocess.tabletop.colours import COLOURS, MATERIALS, TINTS
from sluice.preprocess.tabletop.scene import Figure, Item, Plate, Thing
from sluice.preprocess.tabletop.shapes import SHAPES
from sluice.preprocess.tabletop.textures import TEXTURES
from sluice.preprocess.tabletop.words import STYLE_WORDS, WALL_WORDS

STYLES = {words: style for style, words in STYLE_WORDS.items()}
WALLS = {words: wall for wall, words in WALL_WORDS.items()}
RELATION = r" (left of|right of|in front of|behind) "


def matches(phrase: str, item: Item) -> bool:
    """Whether a noun phrase is true of a thing."""
    words = phrase.split()[1:]
    if isinstance(item, Thing):
        textures = [word for word in words if word in TEXTURES] or ["plain"]
        colours = [word for word in words if word in COLOURS]
        return (words[-1], colours, textures) == (item.shape, [item.colour], [item.texture])
    if isinstance(item, Figure):
        return words[:2] == ["wooden", "figure"]
    smile = item.expression.smile
    mood = "smiling" if "smiling" in words else "sad" if "sad" in words else ""
    return words[-1] == "plate" and {"smiling": smile > 0, "sad": smile < 0, "": abs(smile) < 0.5}[mood]


def check(text: str, scene: Scene) -> None:
    """Read a caption from its ends inwards; whatever is left must be things, each of which must be there."""
    for words, style in STYLES.items():
        if text.startswith(f"{words}: ") or text.endswith(f", {words}"):
            assert style == scene.style
            text = text.removeprefix(f"{words}: ").removesuffix(f", {words}")
    if found := re.search(rf" (?:before|against) an? ({'|'.join(TINTS)}) ({'|'.join(WALLS)})$", text):
        assert (found[1], WALLS[found[2]]) == (scene.wall.tint, scene.wall.pattern)
        text = text[: found.start()]
    if not scene.things:
        assert text == f"an empty {scene.table.material} table"
        return
    if found := re.search(rf" (?:on|standing on|set on) an? ({'|'.join(MATERIALS)}) table$", text):
        assert found[1] == scene.table.material
        text = text[: found.start()]
    for phrase in re.split(r", | and ", text):
        first, *rest = re.split(RELATION, phrase)
        one = thing_of(first, scene)
        if rest:
            check_relation(one, rest[0], thing_of(rest[1], scene), scene)


def thing_of(phrase: str, scene: Scene) -> Item:
    found = [item for item in scene.things if matches(phrase, item)]
    assert found, f"'{phrase}' is not in the scene"
    return found[0]


def check_relation(one: Item, relation: str, other: Item, scene: Scene) -> None:
    (x, _), (u, _) = (scene.camera.place(item.x, 0, item.z) for item in (one, other))
    assert {
        "left of": x < u,
        "right of": x > u,
        "in front of": one.z < other.z and abs(x - u) < 0.2,
        "behind": one.z > other.z and abs(x - u) < 0.2,
    }[relation]


@pytest.mark.parametrize("law", LAWS)
def test_captions_read_back_are_true(law: str) -> None:
    for index in range(60):
        scene = draw_scene(7, index, LAWS[law])
        for variant in range(3):
            check(caption(scene, variant), scene)


def test_the_reader_above_notices_a_wrong_caption() -> None:
    scene = draw_scene(7, 1, LAWS["one"])
    (thing,) = scene.things
    assert isinstance(thing, Thing)
    other = "ball" if thing.shape != "ball" else "cube"
    text = caption(scene)
    with pytest.raises(AssertionError, match="not in the scene"):
        check(text.replace(thing.shape, other), scene)


def test_wording_varies_and_repeats_exactly() -> None:
    scene = draw_scene(0, 3)
    several = captions(scene, 8)
    assert several == captions(scene, 8)
    assert len(several) == len(set(several)) >= 5
    assert several[0] == caption(scene)


def test_every_word_is_in_the_vocabulary_and_every_word_of_it_is_used() -> None:
    used: Counter[str] = Counter()
    emptied = replace(LAWS["tabletop"], objects=(0, 0), figure=0.3, plate=0.3)
    for law, count in ((LAWS["tabletop"], 500), (emptied, 60)):
        for index in range(count):
            used.update(re.findall(r"[a-z]+", caption(draw_scene(0, index, law))))
    assert set(used) == set(vocabulary())


def test_no_word_has_two_meanings() -> None:
    meanings = [*SHAPES, *COLOURS, *TEXTURES, *TINTS, *MATERIALS]
    phrases = [word.removesuffix(" wall") for word in WALL_WORDS.values()]
    styles = [word for words in STYLE_WORDS.values() for word in words.split()]
    every = Counter([*meanings, *phrases, *styles, "wooden", "figure", "waving", "raised", "smiling", "sad", "plate"])
    assert set(every.values()) == {1}


def test_a_caption_without_colours_names_none_and_is_true_otherwise() -> None:
    for index in range(30):
        scene = draw_scene(2, index, LAWS["objects"])
        words = re.findall(r"[a-z]+", caption(scene, colours=False))
        assert not set(words) & set(COLOURS)
        assert set(words) & set(SHAPES) <= {thing.shape for thing in scene.things if isinstance(thing, Thing)}
    assert any(text.startswith("an arrow") for text in _bare_arrows())


def _bare_arrows() -> list[str]:
    law = replace(LAWS["one"], shapes=("arrow",), textures=("plain",))
    return [caption(draw_scene(0, i, law), colours=False) for i in range(9)]


def test_the_plain_caption_of_one_object() -> None:
    thing = Thing("star", "red", "striped", 0, 1.2, 0.3, 0, 1, 1)
    assert plain_caption(thing) == "a red striped star"
    assert plain_caption(replace(thing, texture="plain")) == "a red star"


def test_a_figures_raised_arms_are_told() -> None:
    law = replace(LAWS["figures"], objects=(0, 0))
    texts = [caption(draw_scene(0, i, law)) for i in range(40)]
    assert {"with raised arms" in t for t in texts} == {"waving" in t for t in texts} == {True, False}


def test_faces_are_told_by_their_mood() -> None:
    for index in range(20):
        scene = draw_scene(0, index, LAWS["faces"])
        (plate,) = scene.things
        assert isinstance(plate, Plate)
        assert ("smiling" in caption(scene)) == (plate.expression.smile > 0.35)
