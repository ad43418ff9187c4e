from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.training.commands import ENGINE
from sluice.flows.training.engine import read_engine
from sluice.infra.settings import ConfigError


@pytest.mark.parametrize("file", sorted(ENGINE.parent.glob("*.json")), ids=lambda file: file.stem)
def test_every_ready_file_is_read(file: Path) -> None:
    assert read_engine(file)["zero_optimization"]["stage"] in (1, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zero_optimisation: {stage: 2}", "there is no 'zero_optimisation'; did you mean 'zero_optimization'"),
        ("bf16: yes", "bf16: input should be a valid dictionary"),
        ("bf16: {enabled: 'false'}", "bf16.enabled: input should be a valid boolean"),
        ("log_level: loud", "log_level: input should be 'debug', 'info'"),
        ("gradient_predivide_factor: 0", "gradient_predivide_factor: input should be greater than 0"),
        ("gradient_clipping: 1", "gradient_clipping is the recipe's to say, by `clip`: leave it out here"),
        ("optimizer: {type: Adam}", "by `learning_rate`, `betas` and `weight_decay`"),
    ],
)
def test_mistakes_are_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "engine.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"engine.json: {said}" if "by `learning" not in said else said):
        read_engine(file)
