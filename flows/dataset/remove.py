"""Records taken down: tombstones, a version without them, withdrawal from others, and networks that saw them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from sluice.flows.dataset.trained import Holders, Trained, find_trained, told_of
from sluice.infra.errors import SluiceError
from sluice.infra.storage import Storage
from sluice.preprocess.planning.cut import Cut, copies, find_cuts
from sluice.preprocess.planning.removed import Removed, bury, read_removed, removed_keys
from sluice.preprocess.version.cut import withdrawn_from
from sluice.preprocess.version.manifest import Version, read_version, version_ids
from sluice.preprocess.version.withdraw import Withdrawn, withdraw
from sluice.preprocess.version.without import remove_records

SHOWN = 5
NONE_TRAINED = "No network in {} was trained on what held these"
UNTOLD = "Networks that were trained on these are not looked for: --trained FOLDER lists them"


class UnknownKeys(SluiceError):
    """A data set never had images of these keys."""


def run_remove(
    place: Storage,
    dataset: str,
    keys: Sequence[str],
    console: Console,
    withdrawing: bool = False,
    folders: Sequence[Path] = (),
) -> None:
    """Take keys out of a data set for good, everywhere where `withdrawing`, and print what came of it.

    `folders` are searched for networks that were trained on them. Raises UnknownKeys, before anything is done, where a
    key was never planned, indexed or removed.
    """
    gone, removed = frozenset(keys), removed_keys(keys)
    trained = list(find_trained(folders))
    cuts = find_cuts(place, dataset, gone)
    _refuse_unknown(place, dataset, gone, cuts)
    own = _holders(place, dataset, cuts, removed)
    others = _other_holders(place, dataset, gone) if folders else []
    if own.versions:
        read_version(place, dataset)  # `latest` must be there
    bury(place, removed)
    console.print(f"{dataset}: keys removed for good: {len(keys)}; no later build brings them back")
    if withdrawing:
        _say_withdrawn(place, withdraw(place, gone), console)
    else:
        version = remove_records(place, dataset, gone)
        _say_made(place, [version] if version else [], console)
        if own.still:
            console.print(f"{', '.join(own.still)} still hold them: --withdraw deletes them there too", style="yellow")
    for line in _told_of_networks(trained, [own, *others], folders):
        console.print(line, style="yellow")


def _told_of_networks(trained: Sequence[Trained], holders: Sequence[Holders], folders: Sequence[Path]) -> list[str]:
    if not folders:
        return [UNTOLD]
    return list(told_of(trained, holders)) or [NONE_TRAINED.format(", ".join(map(str, folders)))]


def _refuse_unknown(place: Storage, dataset: str, keys: Collection[str], cuts: Mapping[str, Cut]) -> None:
    planned = {key for cut in cuts.values() for key in cut.keys}
    buried, indexed = read_removed(place), copies(place, dataset, keys)
    unknown = [key for key in sorted(keys) if key not in planned and key not in buried and not indexed[key]]
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise UnknownKeys(
            f"data set '{dataset}' in {place.uri} never had {len(unknown)} of these {len(keys)} keys: "
            f"{', '.join(unknown[:SHOWN])}{more}. Nothing was done; correct them, or take them out of the list."
        )


def _holders(place: Storage, dataset: str, cuts: Collection[str], removed: Removed) -> Holders:
    versions = [read_version(place, dataset, version) for version in version_ids(place, dataset)]
    still = [version.id for version in versions if any(shard in cuts for _, shard, _ in version.manifest["shards"])]
    holding = [version.id for version in versions if version.id in still or _did_hold(version, removed)]
    return Holders(dataset, [version.id for version in versions], holding, still)


def _other_holders(place: Storage, dataset: str, gone: Collection[str]) -> list[Holders]:
    """Of the other data sets those that have or had records of these keys."""
    found = []
    for other in place.folders("datasets"):
        if other != dataset:
            cuts = find_cuts(place, other, gone)
            holders = _holders(place, other, cuts, removed_keys(gone))
            if cuts or holders.holding:
                found.append(holders)
    return found


def _did_hold(version: Version, removed: Removed) -> bool:
    """Whether some of these keys were withdrawn from a version."""
    return not removed.tombstones.isdisjoint(withdrawn_from(version))


def _say_made(place: Storage, versions: Sequence[Version], console: Console) -> None:
    for version in versions:
        console.print(f"{version.dataset} {version.id}: {version.manifest['counts']['records']} records")
        console.print(f"{place.uri}/{version.prefix}")


def _say_withdrawn(place: Storage, withdrawn: Withdrawn, console: Console) -> None:
    _say_made(place, withdrawn.made, console)
    for line in _lines(withdrawn):
        console.print(line, highlight=False)
    console.print("`sluice dataset verify --absent` looks whether any file still holds them", highlight=False)


def _lines(withdrawn: Withdrawn) -> Iterator[str]:
    versions = ", ".join(f"{version.dataset} {version.id}" for version in withdrawn.cut)
    yield f"withdrawn from these versions, which keep their names: {versions or 'none'}"
    yield from (f"withdrawn from the export {table.removesuffix('.parquet')}" for table in withdrawn.exports)
    yield from (f"deleted {path}" for path in withdrawn.deleted)
