"""Aliases turn back to versions that exist, and to nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.preprocess.version.alias import BadAlias, aliases, set_alias, version_before
from sluice.preprocess.version.manifest import UnknownVersion, read_version
from tests.preprocess.builds import BuiltVersion, write_photo


def test_latest_goes_back_and_another_name_stays(built: Callable[..., BuiltVersion], tmp_path: Path) -> None:
    build, first = built()
    write_photo(tmp_path / "photos", "p20", 20)
    _, second = built()
    place = build.storage
    assert set_alias(place, "small", "stable", "latest").id == second.id
    assert set_alias(place, "small", "latest", first.id[:6]).id == first.id
    assert read_version(place, "small").id == first.id
    assert read_version(place, "small", "stable").id == second.id
    assert aliases(place, "small") == ["latest", "stable"]

    with pytest.raises(UnknownVersion, match=f"no version or alias 'nope'; its versions: .*{first.id}.*latest, stable"):
        set_alias(place, "small", "latest", "nope")
    for bad in ("run", "a/b", "../x", first.id, first.id[:4], second.id[:5], "", "Latest"):
        with pytest.raises(BadAlias, match=re.escape(f"'{bad}' cannot be an alias")):
            set_alias(place, "small", bad, first.id)
    (tmp_path / "out" / second.prefix / "manifest.json").unlink()
    with pytest.raises(UnknownVersion, match=f"there are: {first.id}"):
        set_alias(place, "small", "latest", "stable")
    assert read_version(place, "small").id == first.id, "what fails changes nothing"


def test_of_a_single_version_nothing_is_no_name(built: Callable[..., BuiltVersion]) -> None:
    build, version = built()
    with pytest.raises(UnknownVersion, match=f"no version or alias ''; its versions: {version.id}"):
        set_alias(build.storage, "small", "stable", "")
    with pytest.raises(UnknownVersion, match=f"no version ''; there are: {version.id}"):
        read_version(build.storage, "small", "")


def test_the_version_before_is_what_latest_pointed_to_last(built: Callable[..., BuiltVersion], tmp_path: Path) -> None:
    build, first = built()
    place = build.storage
    assert version_before(place, first) is None
    assert version_before(place, built()[1]) is None, "the same build again is no version after itself"
    write_photo(tmp_path / "photos", "p20", 20)
    _, second = built()
    write_photo(tmp_path / "photos", "p21", 21)
    _, limited = built(limit=2)
    _, third = built()
    found = [version_before(place, version) for version in (first, second, limited, third)]
    assert [version and version.id for version in found] == [None, first.id, None, second.id]

    set_alias(place, "small", "latest", first.id)
    gone_back = version_before(place, first)
    assert gone_back is not None
    assert gone_back.id == third.id
    set_alias(place, "small", "latest", third.id)
    (tmp_path / "out" / first.prefix / "manifest.json").unlink()
    over_the_gap = version_before(place, third)
    assert over_the_gap is not None
    assert over_the_gap.id == second.id
    (tmp_path / "out/datasets/small/aliases/latest.json").write_text(f'{{"version": "{third.id}"}}')
    assert version_before(place, third) is None, "as aliases were before they kept a history"
