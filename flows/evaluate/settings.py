"""How much of a protocol is measured: `flows/configs/protocols/NAME.yaml`, for ablations and quick runs another."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.flows.evaluate.names import ABLATIONS
from sluice.inference.metrics.bootstrap import MINIMUM
from sluice.infra.settings import ConfigError

MOST_SCENES = 100_000
"""The seeds of a case are so far apart: each case has noise of its own, which no two of fewer cases share."""
FOLDER = Path(__file__).parents[1] / "configs" / "protocols"


class Settings(BaseModel):
    """Held-out scenes of each comparison, seeds of each, steps of every sampling and its guidance."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scenes: int = Field(ge=MINIMUM, le=MOST_SCENES)
    seeds: int = Field(ge=1, le=1000)
    steps: int = Field(ge=1, le=1000)
    guidance: float = Field(default=5.0, ge=0)


def settings_of(name: str, quick: bool = False, over: Mapping[str, Any] | None = None) -> Settings:
    """Of a protocol or its ablations, with what is not None of `over`. Raises ConfigError for numbers out of range."""
    written = yaml.safe_load((FOLDER / f"{name.removesuffix(ABLATIONS)}.yaml").read_text())
    fast, apart = written.pop("quick"), written.pop("ablations", {})
    written |= apart if name.endswith(ABLATIONS) else {}
    told = {key: value for key, value in (over or {}).items() if value is not None}
    try:
        return Settings.model_validate(written | (fast if quick else {}) | told)
    except ValidationError as error:
        (first, *_) = error.errors()
        raise ConfigError(f"--{first['loc'][0]} {first['input']}: {first['msg']}") from error
