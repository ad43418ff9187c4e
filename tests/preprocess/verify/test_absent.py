"""Every place where a key can hide is looked into, and what cannot be opened proves nothing."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice.infra.local import TEMPORARY, LocalStorage
from sluice.preprocess.verify import absent
from sluice.preprocess.verify.absent import find_keys

KEY, OTHER = "00ff00ff00ff00ff", "1234567812345678"
Write = Callable[[Path], None]


def tar_of(name: str, data: bytes) -> Write:
    def write(path: Path) -> None:
        with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as tar:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))

    return write


def table_of(**columns: list[object]) -> Write:
    return lambda path: pq.write_table(pa.table(columns), path, compression="zstd")


def text(content: str) -> Write:
    return lambda path: path.write_text(content) and None


@pytest.mark.parametrize(
    ("name", "write", "what"),
    [
        ("a.tar", tar_of(f"{KEY}.jpg", b"picture"), f"holds {KEY} as {KEY}.jpg"),
        ("a.tar", tar_of("b.json", json.dumps({"key": KEY}).encode()), f"holds {KEY} within b.json"),
        ("a.tgz", tar_of(f"{KEY}.jpg", b"picture"), f"holds {KEY} as {KEY}.jpg"),
        ("a.parquet", table_of(key=[OTHER, KEY]), f"holds {KEY} in key of row 1"),
        ("a.parquet", table_of(commit=[json.dumps({"quarantined": [KEY]})]), f"holds {KEY} in commit of row 0"),
        ("a.parquet", table_of(parts=[[OTHER], [OTHER, KEY]]), f"holds {KEY} in parts of row 1"),
        ("a.json", text(json.dumps([{"key": KEY}])), f"holds {KEY}"),
        ("page.html", text(f"<article id='{KEY}'>"), f"holds {KEY}"),
        ("notes", text(f"ab{KEY}ab"), f"holds {KEY}"),
        ("blocks", text("x" * (absent.BLOCK - 7) + KEY), f"holds {KEY}"),
        (f"{KEY}-{OTHER}.tar", tar_of("c.txt", b""), f"holds {KEY} in its name"),
        ("cut.tar", lambda path: path.write_bytes(b"no tar" * 200) and None, "cannot be looked into"),
        ("cut.parquet", text("no parquet"), "cannot be looked into"),
        (f"{TEMPORARY}1", text(""), "was left by a writer that was killed"),
    ],
)
def test_a_key_is_found_and_its_place_named(tmp_path: Path, name: str, write: Write, what: str) -> None:
    (tmp_path / "deep").mkdir()
    table_of(key=[OTHER])(tmp_path / "deep" / "other.parquet")
    tar_of(f"{OTHER}.txt", b"another")(tmp_path / "deep" / "other.tar")
    assert list(find_keys(LocalStorage(tmp_path), [KEY])) == []
    write(tmp_path / "deep" / name)
    (problem,) = find_keys(LocalStorage(tmp_path), [KEY, "ffffffffffffffff"])
    assert problem.path == f"deep/{name}"
    assert what in problem.what


def test_a_place_without_a_file_proves_nothing(tmp_path: Path) -> None:
    (problem,) = find_keys(LocalStorage(tmp_path / "mistyped"), [KEY])
    assert str(problem) == (
        f"{tmp_path}/mistyped: holds no file, so that nothing is proved; name the place that was written to"
    )
