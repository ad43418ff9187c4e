"""Aliases turn back to versions that exist, and to nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.preprocess.version.alias import BadAlias, aliases, set_alias
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
    for bad in ("run", "a/b", "../x", first.id, "", "Latest"):
        with pytest.raises(BadAlias, match=re.escape(f"'{bad}' cannot be an alias")):
            set_alias(place, "small", bad, first.id)
    (tmp_path / "out" / second.prefix / "manifest.json").unlink()
    with pytest.raises(UnknownVersion, match=f"there are: {first.id}"):
        set_alias(place, "small", "latest", "stable")
    assert read_version(place, "small").id == first.id, "what fails changes nothing"
