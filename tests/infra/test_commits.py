"""Who reads every commit keeps garbage collection from them."""

from __future__ import annotations

import json
import os
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sluice.infra import commits
from sluice.infra.commits import CLAIM, CLAIM_SECONDS, LEFT_OUT, Commit, CommitLog
from sluice.infra.local import LocalStorage

HOURS = 3 * CLAIM_SECONDS


def log_in(folder: Path) -> CommitLog:
    log = CommitLog(LocalStorage(folder / "out"), "stage")
    (folder / "made.tar").write_bytes(b"made")
    log.put(Commit("shard", "shard-made.tar", "made", 4, 1), folder / "made.tar")
    return log


def age(folder: Path, seconds: float) -> None:
    for file in folder.rglob("*"):
        os.utime(file, (time.time() - seconds,) * 2)


@pytest.mark.parametrize("seconds", [HOURS, -HOURS])
def test_reading_old_commits_claims_them_once(tmp_path: Path, seconds: float) -> None:
    """By a clock that is behind, too."""
    log = log_in(tmp_path)
    age(tmp_path / "out", seconds)
    assert log.all().keys() == {"shard"}
    claim = log.storage.head("stage/in-use")
    assert claim is not None
    assert abs(claim.modified - time.time()) < 60
    if seconds > 0:
        log.all()
        assert log.storage.head(f"stage/{CLAIM}") == claim
    log.clear()
    assert list(log.storage.list()) == []


def test_new_commits_need_no_claim_and_none_are_claimed_where_there_are_none(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.all()
    assert log.storage.head(f"stage/{CLAIM}") is None
    assert CommitLog(log.storage, "other").all() == {}
    assert not (tmp_path / "out" / "other").exists()


def test_what_goes_until_the_claim_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where roll-ups tell of it."""
    monkeypatch.setattr(commits, "ROLL_UP", 1)
    log = log_in(tmp_path)
    assert log.all().keys() == {"shard"}
    age(tmp_path / "out", HOURS)

    class Beside(LocalStorage):
        """Garbage collection deletes up to the moment of the claim."""

        def write(self, path: str, data: bytes) -> None:
            self.delete([log.path("shard.json"), log.path("shard-made.tar")])
            super().write(path, data)

    assert CommitLog(Beside(tmp_path / "out"), "stage").all() == {}


def test_a_claim_that_is_not_among_the_first_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commits, "FIRST", 1)
    log = log_in(tmp_path)
    log.storage.write("stage/0.json", b"")
    age(tmp_path / "out", HOURS)
    log.all()
    claim = log.storage.head(f"stage/{CLAIM}")
    assert claim is not None
    log.all()
    assert log.storage.head(f"stage/{CLAIM}") == claim


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everyone may enter; pytest's own are closed to other users."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
        os.seteuid(os.getuid())


def test_who_may_not_write_reads_all_the_same(open_folder: Path) -> None:
    log = log_in(open_folder)
    age(open_folder / "out", HOURS)
    (open_folder / "out" / "stage").chmod(0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    assert log.all().keys() == {"shard"}
    os.seteuid(os.getuid())
    (open_folder / "out" / "stage").chmod(0o755)
    assert log.storage.head(f"stage/{CLAIM}") is None


WRONG: list[dict[str, Any]] = [
    *({"inputs": own} for own in ([1], {"image": 5})),
    *({"quarantined": own} for own in ([1], [{"key": "a"}], [dict.fromkeys(LEFT_OUT, 7)])),
    *({"file": None}, {"sidecar": 3}),
]
WHOLE = {"unit": "a", "file": "a.tar", "digest": "ab", "size": 1, "records": 1}


def test_a_commit_of_known_values_is_one(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "a.json").write_text(json.dumps(WHOLE))
    (tmp_path / "stage" / "a.tar").write_bytes(b"1")
    assert set(CommitLog(LocalStorage(tmp_path), "stage").all()) == {"a"}


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", "3", '{"unit": "a"}', '{"unit": "a", "facts": []}'),
        *(json.dumps(WHOLE | wrong) for wrong in WRONG),
    ],
)
def test_a_damaged_commit_is_none(tmp_path: Path, text: str) -> None:
    """Its unit runs again."""
    (tmp_path / "stage").mkdir()
    (tmp_path / "stage" / "a.json").write_text(text)
    (tmp_path / "stage" / "a.tar").write_bytes(b"1")
    assert CommitLog(LocalStorage(tmp_path), "stage").all() == {}


def test_what_all_commits_say_alike_is_in_memory_once(tmp_path: Path) -> None:
    """As builds write them: a driver holds a million."""
    log, count = CommitLog(LocalStorage(tmp_path), "stage"), 500
    versions = {f"package-{number}": f"1.{number}.0" for number in range(12)}
    (tmp_path / "stage").mkdir()
    for number in range(count):
        name, digest = f"{number:016x}", f"{number:064x}"
        facts = {"computed": 1000, "field_bytes": {"a.npy": 4}, "seconds": 1.5 + number, "versions": versions}
        commit = Commit(name, f"{name}.tar", digest, 1, 1, {"b": digest}, [], f"{name}.parquet", facts)
        (tmp_path / "stage" / f"{name}.json").write_text(json.dumps(asdict(commit)))
        for file in (f"{name}.tar", f"{name}.parquet"):
            (tmp_path / "stage" / file).write_bytes(b"1")
    first = log.all()
    tracemalloc.start()
    again = log.all()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (again, len(again)) == (first, count)
    assert {id(own.facts["versions"]) for own in again.values()} == {id(next(iter(first.values())).facts["versions"])}
    assert held / count < 2000, "bytes a commit; with what is alike in each of them it was 3,500"
