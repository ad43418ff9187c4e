"""Which networks the claims are measured with: their recipes, their data, and what they begin from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sluice.flows.configs import find_config
from sluice.infra.settings import ConfigError, nearest, parse, read_settings

LIST = Path("evidence")


class Scenes(BaseModel):
    """A data set: so many scenes by a law, and what `stages` make of them beside those of the ready `tabletop`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    law: str
    scenes: int = Field(ge=1)
    stages: tuple[str, ...] = ()


class Network(BaseModel):
    """One network: a recipe with settings of its own (`set`), on these data sets, from those that it begins from.

    An `optional` one is trained only where it is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    data: tuple[str, ...] = Field(min_length=1)
    begin: tuple[str, ...] = ()
    set: Mapping[str, Any] = {}
    optional: bool = False


class Evidence(BaseModel):
    """Data sets and networks by name; a network stands after those that it begins from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: dict[str, Scenes]
    networks: dict[str, Network]

    @model_validator(mode="after")
    def _names_what_there_is(self) -> Self:
        before: list[str] = []
        for name, network in self.networks.items():
            for known, asked in ((list(self.data), network.data), (before, network.begin)):
                unknown = [own for own in asked if own not in known]
                if unknown:
                    raise ValueError(f"{name} names '{unknown[0]}', which does not stand before it")
            before.append(name)
        return self

    def chosen(self, only: Sequence[str]) -> dict[str, Network]:
        """All but the optional ones, or some and those that they begin from, in their order. Raises ConfigError."""
        for name in only:
            if name not in self.networks:
                raise ConfigError(f"--only {name}: the evidence has no such network; {nearest(name, self.networks)}")
        wanted = set(only) or {name for name, network in self.networks.items() if not network.optional}
        for name in reversed(self.networks):
            if name in wanted:
                wanted |= set(self.networks[name].begin)
        return {name: network for name, network in self.networks.items() if name in wanted}


def read_evidence(path: Path = LIST) -> Evidence:
    """The ready list, or one of the same form. Raises ConfigError."""
    file = find_config(path)
    return parse(Evidence, read_settings(file, "`data:` and `networks:`"), str(file))
