from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sluice.training.recipe import Recipe

WHOLE: dict[str, Any] = {
    "method": "micontrolnet",
    "control": "canny",
    "steps": 10,
    "batch": 8,
    "micro_batch": 4,
    "learning_rate": 1e-4,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": None}, "this recipe has none"),
        ({"epochs": 2}, "this recipe has epochs and steps"),
        ({"micro_batch": 3}, r"batch \(8\) is to be a multiple of micro_batch \(3\)"),
        ({"control": None}, "micontrolnet is trained on a `control`"),
        ({"method": "cnc-local"}, "cnc-local is trained without a `control`"),
        ({"method": "controlnet", "conservativity": 0.1}, "only micontrolnet is trained for conservativity"),
        ({"triplets": False}, "only cnc-local and cnc-joint are trained without triplets"),
        ({"control": "cany"}, "'canny', 'hed', 'depth', 'pose' or 'parts'"),
        ({"drop_text": 1.0}, "less than 1"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(WHOLE | change)


@pytest.mark.parametrize(("length", "steps"), [({"steps": 7}, 7), ({"samples": 100}, 12), ({"epochs": 1.5}, 188)])
def test_how_long_it_is(length: dict[str, Any], steps: int) -> None:
    recipe = Recipe.model_validate({**WHOLE, "steps": None, **length})
    assert recipe.total_steps(records=1000) == steps
