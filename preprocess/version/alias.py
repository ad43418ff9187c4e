"""Aliases: names that point to a version, and may be turned back to an earlier one."""

from __future__ import annotations

import re

from sluice.infra.storage import Storage
from sluice.preprocess.version.manifest import (
    UnknownVersion,
    Version,
    alias_history,
    point,
    read_version,
    version_ids,
)

NAME = re.compile(r"(?!\d+$)(?![0-9a-f]{12}$)[a-z][a-z0-9._-]{0,63}")
TAKEN = ("run",)


class BadAlias(UnknownVersion):
    """This cannot be an alias."""


def aliases(storage: Storage, dataset: str) -> list[str]:
    """The names of a data set's aliases."""
    entries = storage.list(f"datasets/{dataset}/aliases/")
    return [entry.path.rpartition("/")[2].removesuffix(".json") for entry in entries]


def refuse_bad(alias: str) -> None:
    """Raises BadAlias for what is no name of one."""
    if NAME.fullmatch(alias) is None or alias in TAKEN:
        raise BadAlias(
            f"'{alias}' cannot be an alias: give a word in small letters that is no version's id, such as latest or "
            "stable"
        )


def set_alias(storage: Storage, dataset: str, alias: str, name: str) -> Version:
    """Let an alias, which may be new, point to a version that exists: by its id, its beginning, or another alias.

    One small file is replaced whole. Raises UnknownVersion, which lists what there is, and BadAlias.
    """
    refuse_bad(alias)
    versions, names = version_ids(storage, dataset), aliases(storage, dataset)
    hidden = [version for version in versions if version.startswith(alias)]
    if hidden and alias not in names:
        raise BadAlias(f"'{alias}' cannot be an alias: version {hidden[0]} begins so, and is meant by it")
    if name not in names and not any(name and version.startswith(name) for version in versions):
        raise UnknownVersion(_unknown(storage, dataset, name))
    version = read_version(storage, dataset, name)
    point(storage, version, alias)
    return version


def version_before(storage: Storage, version: Version) -> Version | None:
    """The version that `latest` last pointed to before this one, of those that are still there.

    None for a first version, and for one that `latest` never pointed to.
    """
    history = alias_history(storage, version.dataset)
    there = {*version_ids(storage, version.dataset)} - {version.id}
    last = max((place for place, id_ in enumerate(history) if id_ == version.id), default=0)
    found = next((id_ for id_ in reversed(history[:last]) if id_ in there), None)
    return read_version(storage, version.dataset, found) if found else None


def _unknown(storage: Storage, dataset: str, name: str) -> str:
    ids, names = version_ids(storage, dataset), aliases(storage, dataset)
    what = f"data set '{dataset}' in {storage.uri} has no version or alias '{name}'"
    return f"{what}; its versions: {', '.join(ids) or 'none'}; its aliases: {', '.join(names) or 'none'}"
