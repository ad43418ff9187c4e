from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from sluice.preprocess.sources import Raw, SourceConfig, SourceError
from sluice.preprocess.sources.webdataset import WebDataset

Picture = Callable[..., bytes]


def source(root: Path | str) -> WebDataset:
    return WebDataset(SourceConfig(uri=str(root)))


def scan(root: Path | str) -> list[Raw]:
    wds = source(root)
    return list(wds.scan(list(wds.items())))


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def img2dataset(path: Path, pictures: list[bytes]) -> None:
    """A tar with its neighbours, as img2dataset 1.45 writes them."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, data in enumerate(pictures):
            key = f"{number:09d}"
            fields = {
                "caption": f"caption {number}",
                "url": f"http://images.example/{number}.jpg",
                "key": key,
                "status": "success",
                "error_message": None,
                "width": 32,
                "height": 24,
                "original_width": 640,
                "original_height": 480,
                "exif": json.dumps({"Image Model": "camera"}),
                "sha256": "0" * 64,
                "similarity": float("nan"),
            }
            add(tar, f"{key}.jpg", data)
            add(tar, f"{key}.json", json.dumps(fields, indent=4).encode())
            add(tar, f"{key}.txt", f"caption {number}".encode())
    path.with_suffix(".parquet").write_bytes(b"PAR1")
    path.with_name(path.stem + "_stats.json").write_text("{}")


def about(raw: Raw) -> dict[str, Any]:
    assert raw.error is None
    value: dict[str, Any] = json.loads(raw.fields["raw.json"])
    return value


def test_img2datasets_output_as_it_is(tmp_path: Path, picture: Picture) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(0), picture(1)])
    img2dataset(tmp_path / "00001.tar", [picture(2)])

    items = list(source(tmp_path).items())
    raws = scan(tmp_path)

    assert [(i.uri, i.images) for i in items] == [("00000.tar", None), ("00001.tar", None)]
    assert [r.address.uri for r in raws] == [
        "00000.tar#000000000.jpg",
        "00000.tar#000000001.jpg",
        "00001.tar#000000000.jpg",
    ]
    assert [r.container for r in raws] == ["00000.tar", "00000.tar", "00001.tar"]
    assert [r.fields["raw"] for r in raws] == [picture(0), picture(1), picture(2)]
    assert about(raws[1]) == {
        "captions": ["caption 1"],
        "origin": {
            "source": "webdataset",
            "uri": "00000.tar#000000001.jpg",
            "metadata": {
                "url": "http://images.example/1.jpg",
                "key": "000000001",
                "status": "success",
                "width": 32,
                "height": 24,
                "original_width": 640,
                "original_height": 480,
                "sha256": "0" * 64,
            },
        },
    }


def test_read_finds_single_images_by_their_place(tmp_path: Path, picture: Picture) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(n) for n in range(5)])
    raws = scan(tmp_path)
    chosen = [raws[3], raws[0]]
    found = source(tmp_path).read([r.address for r in chosen], {"raw", "raw.json"})
    assert sorted(found, key=lambda raw: raw.address.uri) == [raws[0], raws[3]]
    (bare,) = source(tmp_path).read([raws[2].address], {"raw"})
    assert bare.fields == {"raw": picture(2)}


def test_a_bucket_reads_like_a_folder(tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str]) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(n) for n in range(3)])
    uri = uploaded(tmp_path)
    raws = scan(uri)
    assert raws == scan(tmp_path)
    assert list(source(uri).read([r.address for r in raws], {"raw", "raw.json"})) == raws


def test_sidecars_may_stand_before_the_image_and_other_fields_are_passed_over(tmp_path: Path, picture: Picture) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "x/1.txt", b"first")
        add(tar, "x/1.depth.png", picture(9, "PNG"))
        add(tar, "x/1.cls", b"7")
        add(tar, "x/1.PNG", picture(1, "PNG"))
        add(tar, "x/2.webp", picture(2, "WEBP"))
    raws = scan(tmp_path)
    assert [(r.address.uri, about(r)["captions"]) for r in raws] == [
        ("a.tar#x/1.PNG", ["first"]),
        ("a.tar#x/2.webp", []),
    ]
    assert raws[0].fields["raw"] == picture(1, "PNG")


def test_a_tar_broken_in_the_middle_keeps_what_stands_before(tmp_path: Path, picture: Picture) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(n) for n in range(4)])
    whole = scan(tmp_path)
    data = bytearray((tmp_path / "00000.tar").read_bytes())
    header = int(whole[2].address.locator.split(":")[0]) - 512
    data[header : header + 512] = b"\xff" * 512
    (tmp_path / "00000.tar").write_bytes(data)

    raws = scan(tmp_path)

    assert raws[:2] == whole[:2]
    assert len(raws) == 3
    assert f"breaks at byte {header}" in str(raws[2].error)
    assert raws[2].address.item == "00000.tar"


@pytest.mark.parametrize("kept", [0.3, 0.5, 0.7])
def test_a_tar_cut_anywhere_loses_only_the_rest(tmp_path: Path, picture: Picture, kept: float) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(n) for n in range(8)])
    whole = {r.address.uri: r.fields["raw"] for r in scan(tmp_path)}
    data = (tmp_path / "00000.tar").read_bytes()
    (tmp_path / "00000.tar").write_bytes(data[: int(kept * len(data))])

    *good, broken = scan(tmp_path)

    assert broken.error
    assert 0 < len(good) < 8
    assert all(raw.error is None and whole[raw.address.uri] == raw.fields["raw"] for raw in good)


def test_a_missing_end_mark_and_what_is_no_tar_are_noticed(tmp_path: Path, picture: Picture) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(0)])
    last = scan(tmp_path)[0].address.locator.split("=")[-1]
    offset, size = map(int, last.split(":"))
    end = (offset + size + 511) // 512 * 512
    (tmp_path / "00000.tar").write_bytes((tmp_path / "00000.tar").read_bytes()[:end])
    (tmp_path / "00001.tar").write_bytes(b"<html>not found</html>")
    (tmp_path / "00002.tar").write_bytes(b"")
    good, unended, page, empty = scan(tmp_path)
    assert good.error is None
    assert "without the end mark" in str(unended.error)
    assert "not a tar" in str(page.error)
    assert "not a tar" in str(empty.error)


def test_duplicate_keys_are_errors_with_uris_of_their_own(tmp_path: Path, picture: Picture) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "1.jpg", picture(1))
        add(tar, "1.jpg", picture(2))
        add(tar, "2.jpg", picture(3))
        add(tar, "1.jpg", picture(4))
    raws = scan(tmp_path)
    assert [r.error is None for r in raws] == [True, False, True, False]
    assert "duplicate key: '1'" in str(raws[3].error)
    assert len({r.address.uri for r in raws}) == 4


def test_links_devices_and_unsafe_names_are_refused(tmp_path: Path, picture: Picture) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "../1.jpg", picture(1))
        add(tar, "/2.jpg", picture(2))
        for name, kind in [("3.jpg", tarfile.SYMTYPE), ("4.jpg", tarfile.LNKTYPE), ("5.jpg", tarfile.CHRTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        add(tar, "folder/6.jpg", picture(6))
    raws = scan(tmp_path)
    assert [(r.address.uri.split("@")[0], r.error is None) for r in raws] == [
        ("a.tar#../1.jpg", False),
        ("a.tar#/2.jpg", False),
        ("a.tar#3.jpg", False),
        ("a.tar#4.jpg", False),
        ("a.tar#5.jpg", False),
        ("a.tar#folder/6.jpg", True),
    ]


def test_a_place_without_tars_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no \.tar in it"):
        list(source(tmp_path).items())


def test_a_tar_without_an_image_is_a_failure(tmp_path: Path, picture: Picture) -> None:
    img2dataset(tmp_path / "00000.tar", [])
    with tarfile.open(tmp_path / "00001.tar", "w") as tar:
        add(tar, "a.txt", b"a caption of nothing")
    img2dataset(tmp_path / "00002.tar", [picture(0)])
    assert [raw.error for raw in scan(tmp_path)] == ["it holds no image", "it holds no image", None]


@pytest.mark.parametrize("key", ["/1.tar", "a/../1.tar"])
def test_a_key_that_is_no_path_is_an_error_and_the_others_are_read(
    tmp_path: Path, picture: Picture, uploaded: Callable[[Path], str], key: str
) -> None:
    img2dataset(tmp_path / "00000.tar", [picture(0)])
    uri = uploaded(tmp_path)
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{prefix}/{key}", Body=(tmp_path / "00000.tar").read_bytes())
    found = {raw.address.item: raw for raw in scan(uri)}
    assert set(found) == {key, "00000.tar"}
    assert f"the key '{key}' starts with '/' or has '..' in it" in str(found[key].error)
    assert found["00000.tar"].fields["raw"] == picture(0)
