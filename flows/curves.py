"""What a training's page shows of its log and of its samples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from sluice.infra.page.blocks import Block, Curve, Curves, Figure, Strip, Text
from sluice.infra.page.text import count_text

POINTS = 200


def loss_curves(lines: Sequence[Mapping[str, float]]) -> Block:
    """A curve for everything that a log's lines name beside their step, of those lines that have it."""
    if not lines:
        return Text("No loss is logged yet.")
    names = dict.fromkeys(name for line in lines for name in line if name != "step")
    told = {name: [(int(line["step"]), line[name]) for line in lines if name in line] for name in names}
    return Curves([curve(name, [step for step, _ in of], [value for _, value in of]) for name, of in told.items()])


def sample_strips(samples: Path) -> list[Strip]:
    """The pictures that were last made, nothing where none were."""
    if not samples.exists():
        return []
    return [
        Strip([Figure(**figure) for figure in strip["figures"]], strip["title"], strip["size"])
        for strip in json.loads(samples.read_text())
    ]


def curve(name: str, steps: Sequence[int], values: Sequence[float]) -> Curve:
    """Logarithmic where the values allow it and go over a decade."""
    every = -(-len(steps) // POINTS)
    shown = [sum(part) / len(part) for part in (values[i : i + every] for i in range(0, len(values), every))]
    decades = min(shown) > 0 and max(shown) > 10 * min(shown)
    heights = [math.log(value) for value in shown] if decades else shown
    low, high = min(heights), max(heights)
    points = [
        (i / max(len(shown) - 1, 1), (height - low) / (high - low) if high > low else 0.5)
        for i, height in enumerate(heights)
    ]
    note = f"now {values[-1]:.4g}" + (", logarithmic" if decades else "")
    ends = (f"step {count_text(steps[0])}", count_text(steps[-1]))
    return Curve(name, points, ends, (f"{min(shown):.3g}", f"{max(shown):.3g}"), note)
