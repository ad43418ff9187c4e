"""The configuration of a data set: a source, stages and their parameters, and how it is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sluice.infra.settings import ConfigError, override, parse, read_settings
from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.planning.registry import source_class, source_kinds, stage_class
from sluice.preprocess.sources import Source


class DatasetConfig(BaseModel):
    """What a data set is made of. `stages` maps names to parameters; a stage that is not named is not run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("photos", pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=100)
    source: dict[str, Any]
    out: str = "sluice-data"
    stages: dict[str, dict[str, Any] | None]
    shard_size: int = Field(1000, ge=1)
    near_duplicates: int | None = Field(None, ge=1, le=15)
    max_failures: float = Field(0.05, ge=0, le=1)
    export: Literal["auto", "always", "never"] = "auto"
    workers: int | None = Field(None, ge=1)
    ray_address: str | None = None


def load_config(
    path: Path, settings: Sequence[str] = (), source: str | None = None, out: str | None = None
) -> DatasetConfig:
    """Read a YAML file, apply `--source`, `--out` and then each `a.b.c=value`; raises ConfigError, UnknownName."""
    values = read_settings(path, "`source:` and `stages:`")
    if source is not None:
        configured = values.get("source")
        values["source"] = _source(source, configured if isinstance(configured, dict) else {})
    if out is not None:
        values["out"] = out
    for setting in settings:
        override(values, setting, "stages.canny.low=80")
    return parse(DatasetConfig, values, str(path))


def _source(text: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """`kind:uri` or a plain URI, which keeps the configured kind (`folder` where there is none) and its settings."""
    kind, _, uri = text.partition(":")
    if kind in source_kinds() and uri:
        return {**(configured if configured.get("kind") == kind else {}), "kind": kind, "uri": uri}
    meant = get_close_matches(kind, source_kinds()) or [known for known in source_kinds() if known.startswith(kind)]
    if uri and not uri.startswith("//") and len(kind) > 1 and meant and not Path(text).exists():
        source_class(kind)  # raises UnknownName: a mistyped kind, and no folder with a colon in its name
    return {**configured, "kind": configured.get("kind", "folder"), "uri": text}


def make_source(config: DatasetConfig) -> Source[Any]:
    """The source that the configuration names. Raises ConfigError, UnknownName."""
    cls = _source_class(config)
    return cls(parse(cls.config_type, {k: v for k, v in config.source.items() if k != "kind"}, "source"))


def _source_class(config: DatasetConfig) -> type[Source[Any]]:
    kind = config.source.get("kind")
    if not isinstance(kind, str):
        raise ConfigError(f"source.kind is missing; there are: {', '.join(source_kinds())}")
    return source_class(kind)


def make_stages(config: DatasetConfig) -> list[Stage[Any]]:
    """The stages that the configuration names, with their parameters. Raises ConfigError, UnknownName.

    Where it names no model, the source's own defaults stand in.
    """
    defaults = _source_class(config).stage_defaults
    stages = []
    for name, given in config.stages.items():
        cls, values = stage_class(name), given or {}
        if "model" not in values:
            values = {**defaults.get(name, {}), **values}
        parameters: Parameters = parse(cls.parameters_type, values, f"stages.{name}")
        stages.append(cls(parameters))
    if not stages:
        raise ConfigError("stages: name at least one, as in `stages: {image: {}, canny: {}}`")
    return stages
