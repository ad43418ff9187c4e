"""An index brought up to date: what was read later holds, whatever clocks say."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sluice.infra import interrupts
from sluice.infra.storage import Storage, storage
from sluice.preprocess.planning.catalogue import Catalogue
from sluice.preprocess.planning.config import make_source
from sluice.preprocess.planning.index import index_prefix, key_of
from sluice.preprocess.planning.listing import update
from sluice.preprocess.planning.removed import read_removed
from sluice.preprocess.sources import Item
from tests.preprocess.builds import config_here, run_scan, write_photo, write_photos

DAY_NS = 86_400 * 10**9


def updated(folder: Path, prune: bool = False) -> tuple[Storage, str, Catalogue]:
    """The index of the photos in `folder` as they are now, and where it lies."""
    config = config_here(folder)
    source, place = make_source(config), storage(config.out)
    catalogue, _ = update(source, place, False, read_removed(place), run_scan, prune)
    return place, index_prefix(source, False), catalogue


def test_a_part_read_after_the_clock_was_set_back_supersedes(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", 3)
    place, prefix, first = updated(tmp_path)
    (part,) = first.parts
    _, number, digest = part.split("-")
    ahead = f"{prefix}/part-{int(number) + DAY_NS:020d}-{digest}"
    place.write(ahead, place.read(f"{prefix}/{part}"))
    place.delete([f"{prefix}/{part}"])

    changed = write_photo(tmp_path / "photos", "p1", 50)
    (tmp_path / "photos" / "p2.png").unlink()
    _, _, second = updated(tmp_path, prune=True)
    keys = {image.uri: image.key for image in second.all_images()}
    assert keys.keys() == {"p0.png", "p1.png"}
    assert keys["p1.png"] == key_of(changed.read_bytes())
    assert updated(tmp_path)[2].parts == second.parts, "nothing is read again"


def test_who_reads_in_a_thread_ends_with_a_ctrl_c_and_stores_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(tmp_path / "photos", 3)

    def in_thread(function: Callable[[list[Item]], Any], bundles: list[list[Item]]) -> None:
        monkeypatch.setattr(interrupts, "_pressed", True)
        with ThreadPoolExecutor(1) as thread:
            list(thread.map(function, bundles))

    config = config_here(tmp_path)
    source, place = make_source(config), storage(config.out)
    with pytest.raises(KeyboardInterrupt):
        update(source, place, False, read_removed(place), in_thread, False)
    assert list(place.list(index_prefix(source, False))) == []
