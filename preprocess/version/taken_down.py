"""Records that were taken down while a build ran: no version of them is made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sluice.infra.storage import MissingFile
from sluice.preprocess.planning.build import Build
from sluice.preprocess.planning.plan import Shard
from sluice.preprocess.planning.removed import Removed, TakenDown, read_removed
from sluice.preprocess.planning.rows import read_file


def refuse_taken_down(build: Build, shards: Sequence[Shard]) -> None:
    """Raises TakenDown where records of these shards were removed since the build was planned."""
    since = Removed(read_removed(build.storage).tombstones - build.removed.tombstones)
    if since and any(_holds(build, file, list(own), since) for file, own in groupby(shards, lambda shard: shard.file)):
        raise TakenDown(
            f"records of '{build.config.name}' were removed while this build ran: it made no version, and `latest` is "
            "what it was. Where they were withdrawn, give the same `sluice dataset remove --withdraw` again: this "
            "build may have written them since. Then start it again: all that is still wanted is done."
        )


def _holds(build: Build, file: str, shards: Sequence[Shard], gone: Removed) -> bool:
    try:
        rows = read_file(build.storage, build.plan_prefix, file)
    except MissingFile:  # a withdrawal takes it away last
        return True
    return any(row.key in gone for shard in shards for row in rows[shard.group])
