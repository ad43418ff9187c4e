"""How a picture came about: what its steps foresaw, how its energies fell, and where its controls acted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sluice.flows.compose.page.made import Found
from sluice.flows.compose.page.results import told
from sluice.flows.compose.watched import evenly
from sluice.infra.charts import Charts, HeatMap, Line, Lines
from sluice.infra.page import Block, Figure, Fold, Strip

COLUMNS = 25
"""Of a map of shades, in time."""
SHADES = {
    "share": "how much is added: lengths in shares of the U-Net's feature",
    "weight": "its weight in the sum of the controls",
    "gain": "what their sum is multiplied with: 20 at most",
}
Numbers = Mapping[str, Any]


def process_blocks(found: Sequence[Found]) -> list[Block]:
    """Of each picture that was watched, the first one open."""
    watched = [own for own in found if own.notes is not None]
    return [
        Fold(f"seed {own.asked.seed}", told(own.asked.prompt), blocks_of(own.notes or {}), open=number == 0)
        for number, own in enumerate(watched)
    ]


def blocks_of(notes: Mapping[str, Any]) -> list[Block]:
    """Of one picture's notes."""
    blocks: list[Block] = [
        Strip(
            [Figure(**figure) for figure in own["figures"]], f"{own['of']}the pictures that its steps foresee", "tiny"
        )
        for own in notes["foreseen"]
    ]
    numbers = [own for own in notes["numbers"] if _is_finite(own["values"])]
    lines = [
        _lines("Energies", "each from 0 to its highest", [own for own in numbers if own["what"] == "energy"]),
        _lines(
            "What conditions change",
            "of a model's prediction, against its prediction under none, in shares of that one's length",
            [own for own in numbers if own["what"] == "guidance"],
        ),
    ]
    maps = [_map(own) for own in numbers if own["what"] in SHADES and _says_something(own)]
    drawn = [charts for charts in ([own for own in lines if own.lines], maps) if charts]
    return [*blocks, *(Charts(charts) for charts in drawn)]


def _lines(name: str, note: str, numbers: Sequence[Numbers]) -> Lines:
    """Each in shares of its highest value, over timesteps, which fall."""
    times = [t for own in numbers for t in own["at"]]
    first, last = max(times, default=0), min(times, default=0)
    return Lines(name, [_line(own, first, last) for own in numbers], (f"t {first}", f"t {last}"), note)


def _line(own: Numbers, first: int, last: int) -> Line:
    values = own["values"]
    highest = max(max(values), 1e-12)
    points = [((first - t) / max(first - last, 1), value / highest) for t, value in zip(own["at"], values, strict=True)]
    span = f"{values[0]:.3g} at first, {values[-1]:.3g} at last, {max(values):.3g} at most"
    return Line(own["of"] or "the model", points, span)


def _map(own: Numbers) -> HeatMap:
    shown = evenly(list(zip(own["at"], own["values"], strict=True)), COLUMNS)
    by_layer = [list(layer) for layer in zip(*(values for _, values in shown), strict=True)]
    rows = [*(f"skip {number}" for number in range(1, len(by_layer))), "middle"]
    most = max(max(layer) for layer in by_layer)
    return HeatMap(own["of"], rows, [f"t {t}" for t, _ in shown], by_layer, most, SHADES[own["what"]])


def _says_something(own: Numbers) -> bool:
    """A weight or a gain that is 1 everywhere is that of a control by itself, or of a sum."""
    return own["what"] == "share" or any(value != 1 for values in own["values"] for value in values)


def _is_finite(values: Any) -> bool:
    return all(_is_finite(own) for own in values) if isinstance(values, list) else math.isfinite(values)
