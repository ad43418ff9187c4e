"""The configuration of a data set: one YAML file, every value overridable, unknown names refused with the nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sluice.infra.errors import SluiceError
from sluice.preprocess.graph import Parameters, Stage
from sluice.preprocess.planning.registry import nearest, source_class, source_kinds, stage_class
from sluice.preprocess.sources import Source

M = TypeVar("M", bound=BaseModel)


class ConfigError(SluiceError):
    """The configuration says something that cannot be."""


class DatasetConfig(BaseModel):
    """What a data set is made of. `stages` maps names to parameters; a stage that is not named is not run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field("photos", pattern=r"^[a-z0-9][a-z0-9._-]*$")
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
    try:
        values = yaml.safe_load(path.read_text())
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ConfigError(f"there is no configuration file {path}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold a mapping such as `source:` and `stages:`")
    if source is not None:
        values["source"] = _source(source, values.get("source") or {})
    if out is not None:
        values["out"] = out
    for setting in settings:
        _set(values, setting)
    return parse(DatasetConfig, values, str(path))


def _source(text: str, configured: Mapping[str, Any]) -> dict[str, Any]:
    """`kind:uri` or a plain URI, which keeps the configured kind (`folder` where there is none)."""
    kind, _, uri = text.partition(":")
    if kind in source_kinds() and uri:
        return {"kind": kind, "uri": uri}
    meant = get_close_matches(kind, source_kinds()) or [known for known in source_kinds() if known.startswith(kind)]
    if uri and not uri.startswith("//") and len(kind) > 1 and meant and not Path(text).exists():
        source_class(kind)  # raises UnknownName: a mistyped kind, and no folder with a colon in its name
    return {**configured, "kind": configured.get("kind", "folder"), "uri": text}


def _set(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise ConfigError(f"--set takes NAME=VALUE, as in --set stages.canny.low=80; this was '{setting}'")
    *folders, last = path.split(".")
    place = values
    for name in folders:
        if place.get(name) is None:
            place[name] = {}
        place = place[name]
        if not isinstance(place, dict):
            raise ConfigError(f"--set {setting}: '{name}' is a value, not a section")
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {setting}: the value is not YAML: {error}") from error


def parse(model: type[M], values: Any, where: str) -> M:
    """Validate values; raises ConfigError with a line for each problem."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigError(describe_error(error, model, where)) from error


def describe_error(error: ValidationError, model: type[BaseModel], where: str) -> str:
    """A validation error as lines that name the place, what is wrong and the nearest known name."""
    lines = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no '{name}'; {nearest(str(problem['loc'][-1]), model.model_fields)}")
        else:
            given = "" if problem["type"] == "missing" else f" (it is {problem['input']!r})"
            lines.append(f"{where}: {name}: {problem['msg'][0].lower()}{problem['msg'][1:]}{given}")
    return "\n".join(lines)


def make_source(config: DatasetConfig) -> Source[Any]:
    """The source that the configuration names. Raises ConfigError, UnknownName."""
    values = dict(config.source)
    kind = values.pop("kind", None)
    if not isinstance(kind, str):
        raise ConfigError(f"source.kind is missing; there are: {', '.join(source_kinds())}")
    cls = source_class(kind)
    return cls(parse(cls.config_type, values, "source"))


def make_stages(config: DatasetConfig) -> list[Stage[Any]]:
    """The stages that the configuration names, with their parameters. Raises ConfigError, UnknownName."""
    stages = []
    for name, values in config.stages.items():
        cls = stage_class(name)
        parameters: Parameters = parse(cls.parameters_type, values or {}, f"stages.{name}")
        stages.append(cls(parameters))
    if not stages:
        raise ConfigError("stages: name at least one, as in `stages: {image: {}, canny: {}}`")
    return stages
