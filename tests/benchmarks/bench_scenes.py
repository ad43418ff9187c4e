"""Tabletop scenes a second on one core, pictures and dense truths together, as training on the fly renders them.

Seconds are the processor's, so that what else runs on the machine counts little.
"""

from __future__ import annotations

import statistics
import time

from sluice.preprocess.tabletop import captions, draw_scene, render
from sluice.preprocess.tabletop.grid import noise_tile
from tests.benchmarks.result import Goal, Result

SCENES = 200
ROUNDS = 5
SCENES_A_SECOND = 200
GOAL = Goal(">=", 1)


def run() -> list[Result]:
    """How many times 200 scenes of 128 x 128 a second; the middle one of five rounds, each of new scenes."""
    noise_tile()
    rates = {size: [_rate(size, first * SCENES) for first in range(ROUNDS)] for size in (128, 64)}
    middle = {size: statistics.median(found) for size, found in rates.items()}
    details = {
        "128 px, scenes/s": round(middle[128]),
        "64 px, scenes/s": round(middle[64]),
        "slowest and fastest round, 128 px": [round(min(rates[128])), round(max(rates[128]))],
        "three captions, scenes/s": round(_caption_rate()),
        "scenes a round": SCENES,
    }
    return [Result("tabletop scenes of 128 px a second and core / 200", middle[128] / SCENES_A_SECOND, GOAL, details)]


def _rate(size: int, first: int) -> float:
    """Scenes drawn and rendered a second; the work is numpy's, element by element, on one core."""
    render(draw_scene(0, first), size)
    began = time.process_time()
    for index in range(first, first + SCENES):
        render(draw_scene(0, index), size)
    return SCENES / (time.process_time() - began)


def _caption_rate() -> float:
    scenes = [draw_scene(0, index) for index in range(SCENES)]
    began = time.process_time()
    for scene in scenes:
        captions(scene, 3)
    return SCENES / (time.process_time() - began)
