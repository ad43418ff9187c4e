"""Tabletop: a small world of which everything is known.

scene = draw_scene(seed=0, index=7, law=LAWS["two"])
found = render(scene, size=128)
found.image, found.depth, found.instances, caption(scene)
"""

from sluice.preprocess.tabletop.draw import draw_scene
from sluice.preprocess.tabletop.law import LAWS, SceneLaw, law_named
from sluice.preprocess.tabletop.render import Rendered, background, render
from sluice.preprocess.tabletop.scene import Scene
from sluice.preprocess.tabletop.words import caption, captions, plain_caption, vocabulary

# Raise it whenever a scene of the same number looks different or is told in other words.
VERSION = 1

__all__ = [
    "LAWS",
    "VERSION",
    "Rendered",
    "Scene",
    "SceneLaw",
    "background",
    "caption",
    "captions",
    "draw_scene",
    "law_named",
    "plain_caption",
    "render",
    "vocabulary",
]
