"""What is wrong with a job, by its places: light to load, so that the command line says it at once."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.infra.settings import ConfigError

Place = tuple[str | int, ...]
"""Names of settings, and numbers of items in lists, from the root on."""
Problem = tuple[Place, str]


class Misfit(ConfigError):
    """What a job names is not there, or does not fit: `problems`, each with its place in the tree."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(f"{'.'.join(map(str, place))}: {said}" for place, said in self.problems)
