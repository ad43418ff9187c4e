"""Results side by side: prompts by seeds, and variants of one picture that can be flipped through."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from sluice.flows.compose.page.made import Found
from sluice.flows.compose.page.thumbnails import thumbnail
from sluice.infra.page.blocks import Block, Figure, Flip, Strip

OWN = ("prompts.0", "seeds.0")
"""What every picture may have of its own, without being a variant of another."""


def result_blocks(found: Sequence[Found]) -> list[Block]:
    """A row for each prompt, of its seeds; or where more differs, a row for each prompt and seed, of its variants."""
    variants = variants_of(found)
    by_both = _rows(found, lambda own: (own.asked.prompt, own.asked.seed))
    if len(by_both) < len(found):
        return [
            Flip(
                f"variants-{number}", f"{told(prompt)}, seed {seed}", [_figure(own, variants[own.file]) for own in row]
            )
            for number, ((prompt, seed), row) in enumerate(by_both.items())
        ]
    by_prompt = _rows(found, lambda own: own.asked.prompt)
    if len(by_prompt) == len(found):
        return [Strip([_figure(own, told(own.asked.prompt), seeded(own, variants)) for own in found])]
    return [
        Strip([_figure(own, f"seed {own.asked.seed}", variants[own.file]) for own in row], told(prompt))
        for prompt, row in by_prompt.items()
    ]


def variants_of(found: Sequence[Found]) -> dict[str, str]:
    """By file, the settings in which these pictures differ beside prompt and seed, as `strength 0.5`."""
    settings = {own.file: settings_of(own.record["job"]) for own in found}
    names = dict.fromkeys(name for own in settings.values() for name in own if name not in OWN)
    varied = [name for name in names if len({own.get(name, "") for own in settings.values()}) > 1]
    return {
        file: ", ".join(f"{_short(name, varied)} {own[name]}" for name in varied if name in own)
        for file, own in settings.items()
    }


def settings_of(node: Any, place: str = "") -> dict[str, str]:
    """A job's plain values by their dotted names."""
    if isinstance(node, Mapping | list):
        items = node.items() if isinstance(node, Mapping) else enumerate(node)
        return {
            name: value for key, own in items for name, value in settings_of(own, f"{place}.{key}".lstrip(".")).items()
        }
    return {} if node is None else {place: str(node)}


def told(prompt: str) -> str:
    """A prompt as a caption."""
    return prompt or "no prompt"


def seeded(own: Found, variants: Mapping[str, str]) -> str:
    """Its seed, and what else is its own."""
    return ", ".join(part for part in (f"seed {own.asked.seed}", variants[own.file]) if part)


def _short(name: str, names: Sequence[str]) -> str:
    """The end of a dotted name that none of the others has."""
    parts = name.split(".")
    ends = (".".join(parts[-length:]) for length in range(1, len(parts) + 1))
    return next(end for end in ends if sum(f".{other}".endswith(f".{end}") for other in names) == 1)


def _rows(found: Sequence[Found], key: Callable[[Found], Any]) -> dict[Any, list[Found]]:
    rows: dict[Hashable, list[Found]] = defaultdict(list)
    for own in found:
        rows[key(own)].append(own)
    return rows


def _figure(own: Found, label: str, note: str = "") -> Figure:
    if own.pixels is None:
        return Figure(label or own.asked.name, text=own.reason, note=note, link=own.file)
    return thumbnail(label or own.asked.name, own.pixels, note, own.file)
