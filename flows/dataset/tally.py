"""Counting failures while a build runs: too many stop it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sluice.flows.dataset.causes import causes
from sluice.infra.errors import SluiceError
from sluice.preprocess.planning.build import Build, Commits
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.units.work import failures


class TooManyFailures(SluiceError):
    """More images failed than `max_failures` allows."""

    exit_code = 1


@dataclass
class Tally:
    """The images that failed so far, by key; `add` stops the run when they are more than `allowed`."""

    allowed: int
    entries: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, entries: Sequence[dict[str, str]]) -> None:
        """Count what failed; what a filter kept out is not counted. Raises TooManyFailures."""
        for entry in entries:
            if entry["kind"] == "failed":
                self.entries.setdefault(entry["key"] or entry["uri"], entry)
        if len(self.entries) > self.allowed:
            raise TooManyFailures(self._message())

    def _message(self) -> str:
        return (
            f"{len(self.entries)} images failed, and max_failures allows {self.allowed}. By their causes:\n"
            + "\n".join(causes(self.entries.values()))
            + "\nWhat is done is kept. Mend them, or raise max_failures, the share of images that may fail, and "
            "build again; of images that were taken out of the source, --prune lets go."
        )


def tally_before(build: Build, commits: Commits, shards: Sequence[Shard], running: set[tuple[str, str]]) -> Tally:
    """The failures known before a run: unreadable images, and what earlier runs left out of units that now rest."""
    unreadable = build.plan.unreadable_entries() if len(shards) == len(build.plan.shards) else []
    images = sum(shard.records for shard in shards) + len(unreadable)
    tally = Tally(math.ceil(build.config.max_failures * images))
    tally.add(unreadable)
    for node in build.nodes:
        for shard in shards:
            if (node.name, shard.id) not in running:
                tally.add(failures(commits[node.name][shard.id]))
    return tally
