"""Which versions garbage collection keeps, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sluice.flows.operate.stored import DataSet, Stored
from sluice.flows.operate.trainings import TrainingFolder
from sluice.infra.commits import CLAIM_SECONDS
from sluice.infra.settings import ConfigError
from sluice.infra.spans import seconds_of


@dataclass(frozen=True)
class Wish:
    """What to keep beside what aliases mean: the `newest` few, or those made `since` (seconds); all unless given."""

    newest: int | None = None
    since: float | None = None


@dataclass(frozen=True)
class Kept:
    """The versions of a data set that stay, each with the reason, and those that go."""

    data: DataSet
    reasons: Mapping[str, str]

    @property
    def versions(self) -> list[Stored]:
        return [stored for stored in self.data.versions if stored.id in self.reasons]

    @property
    def going(self) -> list[Stored]:
        return [stored for stored in self.data.versions if stored.id not in self.reasons]


def kept(data: DataSet, wish: Wish, trained: Sequence[TrainingFolder], used: Mapping[str, float], since: float) -> Kept:
    """By aliases, the wish, trainings that are not done, and what was made or used `since`.

    A build that would name a version has read all its stages' commits: `used` says when somebody last used each.
    """
    reasons: dict[str, str] = {}
    for stored in data.versions:
        told = [*_asked(data, stored, wish), *_in_use(data, stored, trained, used, since)]
        if told:
            reasons[stored.id] = ", ".join(told)
    return Kept(data, reasons)


def _asked(data: DataSet, stored: Stored, wish: Wish) -> Iterator[str]:
    yield from (alias for alias, id_ in data.aliases.items() if id_ == stored.id)
    if wish.newest is None and wish.since is None:
        yield "every version is kept"
    if wish.newest is not None and stored.id in [own.id for own in data.versions[-wish.newest :]]:
        yield f"of the newest {wish.newest}"
    if wish.since is not None and stored.made >= wish.since:
        yield "made since then"


def _in_use(
    data: DataSet, stored: Stored, trained: Sequence[TrainingFolder], used: Mapping[str, float], since: float
) -> Iterator[str]:
    if stored.made > since or all(used.get(prefix, 0.0) > since for prefix in stored.outputs):
        yield "made or used within the grace period"
    name = f"{data.name} {stored.id}"
    yield from (f"{own.path} is trained on it" for own in trained if not own.finished and name in own.data)


def wish_of(keep: int | None, keep_since: str | None) -> Wish:
    """What `--keep` or `--keep-since` says. Raises ConfigError for both."""
    if keep is not None and keep_since is not None:
        raise ConfigError("--keep and --keep-since are two ways to say which versions stay: give one of them")
    return Wish(keep, moment_of(keep_since) if keep_since else None)


def grace_of(grace: str, builds: bool, delete: bool) -> tuple[float, bool]:
    """Seconds, and whether they are too few to delete what `builds` make. Raises ConfigError where that is asked."""
    young = seconds_of(grace, "--grace")
    too_young = builds and young < CLAIM_SECONDS
    if delete and too_young:
        raise ConfigError(
            f"--grace {grace}: with --delete give at least 1h; a build says that it uses what is older than that, and "
            "would lose what is younger"
        )
    return young, too_young


def moment_of(date: str) -> float:
    """A date such as 2026-11-01, or a moment, of this machine's time zone unless it names one. Raises ConfigError."""
    try:
        return datetime.fromisoformat(date).timestamp()
    except ValueError as error:
        raise ConfigError(f"--keep-since {date}: give a date such as 2026-11-01 or 2026-11-01T12:00") from error
