"""What lies where data sets are built to: their versions, what points to these, and their plans."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, Storage
from sluice.preprocess.planning.plan import Plan, read_plans
from sluice.preprocess.version.alias import aliases
from sluice.preprocess.version.cut import is_as_named
from sluice.preprocess.version.manifest import ANEW, DamagedVersion, Version, alias_history, read_alias, version_of

VERSION = re.compile("[0-9a-f]{12}")
SHOWN = 8
"""Of what lies somewhere, as many names."""


class NothingBuilt(SluiceError):
    """No data set was built to this place."""


@dataclass(frozen=True)
class Stored:
    """A version, and when its manifest was written, in seconds since 1970 by the storage's clock."""

    version: Version
    made: float

    @property
    def id(self) -> str:
        return self.version.id

    @cached_property
    def outputs(self) -> frozenset[str]:
        """Where its stages' outputs lie."""
        stages = self.version.manifest["stages"]
        return frozenset(f"stages/{stage['name']}/{stage['fingerprint']}" for stage in stages)

    @cached_property
    def shards(self) -> frozenset[str]:
        """The ids of its shards, each of which has an output of every stage."""
        return frozenset(shard for _, shard, _ in self.version.manifest["shards"])


@dataclass(frozen=True)
class DataSet:
    """A data set: versions and plans, oldest first, and the versions that aliases point to.

    The newest version is the one that `latest` came to last; those that it never pointed to are older than all others.
    `merging` are ids of versions that have files and no manifest (yet); `planned` is when the newest plan was written,
    in seconds since 1970.
    """

    name: str
    versions: tuple[Stored, ...]
    aliases: Mapping[str, str]
    plans: tuple[Plan, ...]
    planned: float
    merging: tuple[str, ...]


def data_sets(place: Storage) -> list[DataSet]:
    """All that lie in a storage. Raises NothingBuilt, DamagedVersion, DamagedPlan, StorageError."""
    return [data_set(place, name) for name in data_set_names(place)]


def data_set_names(place: Storage) -> list[str]:
    """The names of all that lie in a storage. Raises NothingBuilt, StorageError."""
    names = list(place.folders("datasets"))
    if not names:
        there = list(place.folders())
        if "index" in there:
            raise NothingBuilt(
                f"{place.uri} holds no data set yet: a build began to index its source there, and has not planned it. "
                "The same build goes on from there"
            )
        more = f" and {len(there) - SHOWN} more" if len(there) > SHOWN else ""
        raise NothingBuilt(
            f"{place.uri} holds no data set (there is: {', '.join(there[:SHOWN]) or 'nothing'}{more}): name the place "
            "that `sluice dataset build` wrote to, its --out"
        )
    return names


def data_set(place: Storage, name: str) -> DataSet:
    """One by its name. Raises DamagedVersion, DamagedPlan, StorageError."""
    ids = [found for found in place.folders(f"datasets/{name}") if VERSION.fullmatch(found)]
    made = {id_: place.head(f"datasets/{name}/{id_}/manifest.json") for id_ in ids}
    versions = [Stored(_as_named(place, name, id_), entry.modified) for id_, entry in made.items() if entry]
    aliased = _aliases(place, name)
    _refuse_dangling(place, name, aliased, [stored.id for stored in versions])
    order = {id_: turn for turn, id_ in enumerate(alias_history(place, name))}  # of the last turn of each
    return DataSet(
        name,
        # A withdrawal and a copy write manifests anew, so that only among equals their times can say what is older.
        tuple(sorted(versions, key=lambda stored: (order.get(stored.id, -1), stored.made, stored.id))),
        aliased,
        *_plans(place, f"datasets/{name}/plan"),
        tuple(id_ for id_, entry in made.items() if entry is None),
    )


def _as_named(place: Storage, name: str, id_: str) -> Version:
    """A version, by whose manifest is told what to keep. Raises DamagedVersion where its id is not its digest."""
    version = version_of(place, name, id_)
    if not is_as_named(version):
        raise DamagedVersion(f"{place.uri}/{version.prefix}/manifest.json was edited or is damaged; {ANEW}")
    return version


def _aliases(place: Storage, name: str) -> dict[str, str]:
    found = {}
    for alias in aliases(place, name):
        with suppress(MissingFile):  # gone since it was listed
            found[alias] = read_alias(place, name, alias)[-1]
    return found


def _refuse_dangling(place: Storage, name: str, aliased: Mapping[str, str], there: Collection[str]) -> None:
    """Raises DamagedVersion for an alias whose version has no manifest, looked for again: one may have come since."""
    for alias, id_ in aliased.items():
        if id_ not in there and place.head(f"datasets/{name}/{id_}/manifest.json") is None:
            raise DamagedVersion(
                f"{place.uri}/datasets/{name}: {alias} points to version {id_}, whose manifest is gone; the build that "
                "made it writes it anew, from the same images and the same configuration, and "
                f"`sluice dataset alias {place.uri}/datasets/{name} {alias} VERSION` points to another one"
            )


def _plans(place: Storage, prefix: str) -> tuple[tuple[Plan, ...], float]:
    written = {entry.path.rpartition("/")[2]: entry.modified for entry in place.list(f"{prefix}/plan-")}
    plans = read_plans(place, prefix) if written else {}
    plans_by_age = tuple(plans[name][0] for name in sorted(plans, key=lambda name: written.get(name, 0)))
    return plans_by_age, max(written.values(), default=0.0)
