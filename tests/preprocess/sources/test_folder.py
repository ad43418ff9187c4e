from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.infra.storage import storage
from sluice.preprocess.sources import Address, Raw, SourceConfig, SourceError
from sluice.preprocess.sources.folder import Folder

Picture = Callable[..., bytes]


def folder(root: Path | str) -> Folder:
    return Folder(SourceConfig(uri=str(root)))


def scanned(source: Folder) -> dict[str, Raw]:
    return {raw.address.uri: raw for raw in source.scan(list(source.items()))}


def about(raw: Raw) -> dict[str, Any]:
    assert raw.error is None
    value: dict[str, Any] = json.loads(raw.fields["raw.json"])
    return value


def test_captions_come_from_text_and_json_beside_the_image(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "Cat.JPG").write_bytes(picture(0))
    (tmp_path / "deep" / "er" / "Cat.txt").write_text("a cat\n\n  a cat on a mat \na cat\n")
    (tmp_path / "deep" / "er" / "Cat.json").write_text(
        json.dumps({"captions": ["a cat", "a tabby"], "license": "CC0", "width": 32, "exif": "x", "nested": {"a": 1}})
    )
    (tmp_path / "dog.png").write_bytes(picture(1, "PNG"))
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    (tmp_path / "orphan.txt").write_text("of no image")
    (tmp_path / "._dog.png").write_bytes(b"a Finder's resource fork")

    found = scanned(folder(tmp_path))

    assert list(found) == ["deep/er/Cat.JPG", "dog.png"]
    assert found["deep/er/Cat.JPG"].fields["raw"] == picture(0)
    assert about(found["deep/er/Cat.JPG"]) == {
        "captions": ["a cat", "a cat on a mat", "a tabby"],
        "origin": {
            "source": "folder",
            "uri": "deep/er/Cat.JPG",
            "metadata": {"license": "CC0", "width": 32},
        },
    }
    assert about(found["dog.png"]) == {"captions": [], "origin": {"source": "folder", "uri": "dog.png"}}


def test_items_come_in_order_with_sidecars_however_names_interleave(tmp_path: Path, picture: Picture) -> None:
    names = ["a-1.jpg", "a.jpg", "a.k.jpg", "a/b.jpg", "a0.jpg", "b.webp"]
    (tmp_path / "a").mkdir()
    for seed, name in enumerate(names):
        (tmp_path / name).write_bytes(picture(seed))
        (tmp_path / name).with_suffix(".txt").write_text(name)
    (tmp_path / "a.k").mkdir()

    source = folder(tmp_path)

    assert [item.uri for item in source.items()] == sorted(names)
    assert {uri: about(raw)["captions"] for uri, raw in scanned(source).items()} == {name: [name] for name in names}


@pytest.mark.timeout(60)
def test_many_files_behind_one_stem_are_listed_in_no_more_than_their_time(tmp_path: Path) -> None:
    names = [f"frame.{number:06}" for number in range(10_000)]
    (tmp_path / "frame").touch()
    for name in names:
        (tmp_path / f"{name}.jpg").touch()
    for ending in ("JSON", "TXT", "json", "txt"):
        (tmp_path / f"{names[7]}.{ending}").touch()

    items = list(folder(tmp_path).items())

    assert [item.uri for item in items] == [f"{name}.jpg" for name in names]
    assert [item.locator for item in items if item.locator] == [".TXT,.txt,.JSON,.json"]


def test_the_stamp_changes_with_the_image_and_with_its_sidecar(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(0))
    stamps = {next(iter(folder(tmp_path).items())).stamp}
    (tmp_path / "a.txt").write_text("one")
    stamps.add(next(iter(folder(tmp_path).items())).stamp)
    (tmp_path / "a.txt").write_text("another")
    stamps.add(next(iter(folder(tmp_path).items())).stamp)
    (tmp_path / "a.jpg").write_bytes(picture(1) + b"\0")
    stamps.add(next(iter(folder(tmp_path).items())).stamp)
    assert len(stamps) == 4


def test_read_gives_what_scan_gave(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(0))
    (tmp_path / "a.TXT").write_text("a caption")
    source = folder(tmp_path)
    first = scanned(source)["a.jpg"]
    (again,) = folder(tmp_path).read([first.address], {"raw", "raw.json"})
    (bare,) = folder(tmp_path).read([first.address], {"raw"})
    assert again == first
    assert bare.fields == {"raw": picture(0)}


@pytest.mark.parametrize("name", ["two\nlines.jpg", "猫 é.jpg", "a,b;c#d%20.jpg"])
def test_odd_names_are_names(tmp_path: Path, picture: Picture, name: str) -> None:
    (tmp_path / name).write_bytes(picture(0))
    (tmp_path / name).with_suffix(".txt").write_text("odd")
    assert about(scanned(folder(tmp_path))[name])["captions"] == ["odd"]


def test_a_name_that_is_not_utf8_is_an_error_with_printable_text(tmp_path: Path, picture: Picture) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb") as file:
        file.write(picture(0))
    (raw,) = scanned(folder(tmp_path)).values()
    assert raw.address.uri == "caf\\xe9.jpg"
    assert "not UTF-8" in str(raw.error)


def test_links_out_of_the_folder_are_errors_and_never_read(tmp_path: Path, picture: Picture) -> None:
    inside, outside = tmp_path / "photos", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (outside / "image.jpg").write_bytes(picture(0))
    (outside / "passwords").write_text("hunter2")
    (inside / "link.jpg").symlink_to(outside / "image.jpg")
    (inside / "good.jpg").write_bytes(picture(1))
    (inside / "inner.jpg").symlink_to(inside / "good.jpg")
    (inside / "sly.jpg").write_bytes(picture(2))
    (inside / "sly.txt").symlink_to(outside / "passwords")
    (inside / "gone.jpg").symlink_to(inside / "nowhere.jpg")

    found = scanned(folder(inside))

    assert {uri: raw.error is None for uri, raw in found.items()} == {
        "gone.jpg": False,
        "good.jpg": True,
        "inner.jpg": True,
        "link.jpg": False,
        "sly.jpg": False,
    }
    assert "out of the source's folder" in str(found["link.jpg"].error)
    assert "sly.txt" in str(found["sly.jpg"].error)
    assert not found["link.jpg"].fields


def test_captions_that_are_not_utf8_or_not_json_say_so_and_the_image_stays(tmp_path: Path, picture: Picture) -> None:
    for name in ("latin", "bad", "odd"):
        (tmp_path / f"{name}.jpg").write_bytes(picture(0))
    (tmp_path / "latin.txt").write_bytes("un café".encode("latin-1"))
    (tmp_path / "bad.json").write_text('{"caption": "cut')
    (tmp_path / "odd.json").write_text('{"caption": ["\\ud800x", 5], "\\ud800": 1, "score": NaN}')

    found = scanned(folder(tmp_path))

    assert about(found["latin.jpg"])["captions"] == ["un caf\ufffd"]
    assert "latin.txt is not UTF-8" in about(found["latin.jpg"])["origin"]["warnings"][0]
    assert "bad.json is not JSON" in about(found["bad.jpg"])["origin"]["warnings"][0]
    assert about(found["odd.jpg"])["captions"] == ["?x"]
    assert "metadata" not in about(found["odd.jpg"])["origin"]


def test_a_file_that_went_away_is_an_error_of_its_own(tmp_path: Path, picture: Picture) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(0))
    raws = list(folder(tmp_path).read([Address("gone.jpg", "gone.jpg"), Address("a.jpg", "a.jpg")], {"raw"}))
    assert "gone.jpg" in str(raws[0].error)
    assert raws[1].error is None


def test_a_place_without_images_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "readme.md").write_text("no image")
    with pytest.raises(SourceError, match=r"no image in it.*\.jpg"):
        list(folder(tmp_path).items())
    with pytest.raises(SourceError, match="/missing does not exist"):
        list(folder(tmp_path / "missing").items())
    with pytest.raises(SourceError, match=r"without\s+file://"):
        list(folder(f"file://{tmp_path}").items())


def test_a_bucket_reads_like_a_folder(tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]) -> None:
    for path, data in {"b.jpg": picture(1), "b.txt": b"b", "a/b c.png": picture(2, "PNG")}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert scanned(folder(uploaded(tmp_path))) == scanned(folder(tmp_path))
    with pytest.raises(SourceError, match="no-such-bucket-here"):
        list(folder("s3://no-such-bucket-here/photos").items())


def test_a_key_that_is_no_path_is_an_error_and_the_others_are_read(
    tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]
) -> None:
    (tmp_path / "b.jpg").write_bytes(picture(1))
    uri = uploaded(tmp_path)
    bucket, _, prefix = uri.rpartition("/")
    storage(bucket).write(f"{prefix}//a.jpg", picture(0))
    found = scanned(folder(uri))
    assert list(found) == ["/a.jpg", "b.jpg"]
    assert "the key '/a.jpg' starts with '/'" in str(found["/a.jpg"].error)
    assert found["b.jpg"].fields["raw"] == picture(1)
