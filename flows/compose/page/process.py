"""How a picture came about: what its steps foresaw, how its energies fell, and where its controls acted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sluice.flows.compose.page.made import Found
from sluice.flows.compose.page.results import seeded, told, variants_of
from sluice.flows.compose.run.watched import evenly
from sluice.infra.page.blocks import Block, Figure, Fold, Strip
from sluice.infra.page.charts import Charts, HeatMap, Line, Lines

COLUMNS = 25
"""Of a map of shades, in time."""
LINES = {
    "energy": ("Energies", "each from 0 to its highest"),
    "guidance": (
        "What conditions change",
        "of a model's prediction, in shares of the length of its prediction under none; each from 0 to its highest",
    ),
    "cosine": (
        "How energies agree",
        "cosine of what two of them add, the second's in Z-Magic as the first has changed it; from -1 to 1",
    ),
}
SHADES = {
    "share": "How much controls add: its length in shares of that of the U-Net's feature",
    "weight": "The weights of controls in their sum",
    "gain": "What the sum is multiplied with, 20 at most unless its job says otherwise",
}
Numbers = Mapping[str, Any]


def process_blocks(found: Sequence[Found]) -> list[Block]:
    """Of each picture that was watched, the first one open."""
    watched = [(own, own.notes) for own in found if own.notes is not None]
    variants = variants_of(found)
    return [
        Fold(seeded(own, variants), told(own.asked.prompt), blocks_of(notes), open=number == 0)
        for number, (own, notes) in enumerate(watched)
    ]


def blocks_of(notes: Mapping[str, Any]) -> list[Block]:
    """Of one picture's notes."""
    foreseen: list[Block] = [
        Strip(
            [Figure(**figure) for figure in own["figures"]], f"{own['of']}the pictures that its steps foresee", "tiny"
        )
        for own in notes["foreseen"]
    ]
    numbers = [own for own in notes["numbers"] if _is_finite(own["values"])]
    return [*foreseen, *_charts(numbers)]


def _charts(numbers: Sequence[Numbers]) -> Iterator[Charts]:
    times = [t for own in numbers for t in own["at"]]
    lines = [
        Lines(name, [_line(own, max(times), min(times)) for own in of_it], (f"t {max(times)}", f"t {min(times)}"), note)
        for what, (name, note) in LINES.items()
        if (of_it := [own for own in numbers if own["what"] == what])
    ]
    if lines:
        yield Charts(lines)
    for what, name in SHADES.items():
        if shades := [own for own in numbers if own["what"] == what and _says_something(own)]:
            most = max(value for own in shades for values in own["values"] for value in values)
            yield Charts([_map(own, most) for own in shades], name)


def _line(own: Numbers, first: int, last: int) -> Line:
    """From 0 to its highest value, or from -1 to 1, over timesteps, which fall."""
    values = own["values"]
    low, high = (-1, 1) if own["what"] == "cosine" else (0, max(max(values), 1e-12))
    points = [
        ((first - t) / max(first - last, 1), (value - low) / (high - low))
        for t, value in zip(own["at"], values, strict=True)
    ]
    span = f"{values[0]:.3g} at first, {values[-1]:.3g} at last, {max(values):.3g} at most"
    return Line(own["of"].removesuffix(": ") or "the model", points, span)


def _map(own: Numbers, most: float) -> HeatMap:
    shown = evenly(list(zip(own["at"], own["values"], strict=True)), COLUMNS)
    by_layer = [list(layer) for layer in zip(*(values for _, values in shown), strict=True)]
    rows = [*(f"skip {number}" for number in range(1, len(by_layer))), "middle"]
    return HeatMap(own["of"], rows, [f"t {t}" for t, _ in shown], by_layer, most)


def _says_something(own: Numbers) -> bool:
    """A weight or a gain that is 1 everywhere is that of a control by itself, or of a sum."""
    return own["what"] == "share" or any(value != 1 for values in own["values"] for value in values)


def _is_finite(values: Any) -> bool:
    return all(_is_finite(own) for own in values) if isinstance(values, list) else math.isfinite(values)
