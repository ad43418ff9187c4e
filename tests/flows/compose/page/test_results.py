"""Pictures in rows, and variants that are flipped through."""

from __future__ import annotations

from typing import Any

from sluice.flows.compose.page.results import result_blocks, variants_of
from sluice.infra.page.blocks import Flip, Strip
from tests.flows.compose.page.pages import found, with_strength


def test_seeds_are_rows_of_prompts_and_variants_are_flipped_through(job: dict[str, Any]) -> None:
    seeds = [found({**job, "prompts": [prompt], "seeds": [seed]}) for prompt in ("a", "b") for seed in (0, 1)]
    rows = result_blocks(seeds)
    assert all(isinstance(row, Strip) for row in rows)
    assert [(row.title, [own.label for own in row.figures]) for row in rows if isinstance(row, Strip)] == [
        ("a", ["seed 0", "seed 1"]),
        ("b", ["seed 0", "seed 1"]),
    ]
    variants = [found(with_strength(job, strength)) for strength in (0.5, 1.0, 2.0)]
    (flip,) = result_blocks(variants)
    assert isinstance(flip, Flip)
    assert [own.label for own in flip.figures] == ["strength 0.5", "strength 1.0", "strength 2.0"]
    assert flip.title == "a star, seed 0"


def test_settings_that_are_called_alike_are_told_apart(job: dict[str, Any]) -> None:
    one, other = with_strength(job, 1.0), with_strength(job, 2.0)
    other["picture"]["of"]["model"]["controls"][0]["strength"] = 0.5
    told = variants_of([found(one), found(other)])
    assert list(told.values()) == ["0.strength 1.0, 1.strength 1.0", "0.strength 0.5, 1.strength 2.0"]
