"""Records taken down: tombstones, a version without them, and what still holds them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from rich.console import Console

from sluice.infra.errors import SluiceError
from sluice.infra.storage import Storage
from sluice.preprocess.planning.cut import copies, find_cuts
from sluice.preprocess.planning.removed import Removed, bury, read_removed, removed_keys
from sluice.preprocess.version.manifest import read_version, version_ids
from sluice.preprocess.version.without import remove_records

SHOWN = 5


class UnknownKeys(SluiceError):
    """A data set never had images of these keys."""


def run_remove(place: Storage, dataset: str, keys: Sequence[str], console: Console) -> None:
    """Take keys out of a data set for good, and print what came of it.

    Raises UnknownKeys, before anything is done, where one was never planned, indexed or removed.
    """
    removed = removed_keys(keys)
    cuts = find_cuts(place, dataset, removed)
    planned = {key for cut in cuts.values() for key in cut.keys}
    _refuse_unknown(place, dataset, keys, planned, removed)
    holding = _holding(place, dataset, cuts)
    bury(place, removed)
    version = remove_records(place, dataset, removed)
    console.print(f"{dataset}: keys removed for good: {len(keys)}; no later build brings them back")
    if version is not None:
        console.print(f"{dataset} {version.id}: {version.manifest['counts']['records']} records")
        console.print(f"{place.uri}/{version.prefix}")
    if holding:
        console.print(f"{', '.join(holding)} still hold them: --withdraw deletes them there too", style="yellow")


def _refuse_unknown(
    place: Storage, dataset: str, keys: Sequence[str], planned: Collection[str], removed: Removed
) -> None:
    buried = read_removed(place)
    indexed = copies(place, dataset, removed)
    unknown = [key for key in keys if key not in planned and key not in buried and not indexed[key]]
    if unknown:
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        raise UnknownKeys(
            f"data set '{dataset}' in {place.uri} never had {len(unknown)} of these {len(keys)} keys: "
            f"{', '.join(unknown[:SHOWN])}{more}. Nothing was done; correct them, or take them out of the list."
        )


def _holding(place: Storage, dataset: str, shards: Collection[str]) -> list[str]:
    """The versions that have one of these shards."""
    versions = (read_version(place, dataset, version) for version in version_ids(place, dataset))
    return [v.id for v in versions if any(shard in shards for _, shard, _ in v.manifest["shards"])]
