"""What is measured of networks is measured once, by the same code, of the same things."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.evaluate import kept as module
from sluice.flows.evaluate.kept import FOLDER, kept


def test_it_is_made_once_of_what_is_told_and_by_one_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make() -> list[float]:
        made.append("")
        return [0.1, len(made)]

    monkeypatch.setattr(module, "code_version", lambda: "1, commit a")
    assert kept(tmp_path, ["net", 1], make) == kept(tmp_path, ["net", 1], make) == [0.1, 1]
    assert kept(tmp_path, ["net", 2], make) == [0.1, 2]
    monkeypatch.setattr(module, "code_version", lambda: "1, commit b")
    assert kept(tmp_path, ["net", 1], make) == [0.1, 3]
    monkeypatch.setattr(module, "code_version", lambda: "1, commit b, changed")
    assert [kept(tmp_path, ["net", 1], make)[1] for _ in range(2)] == [4, 5], "which change it is nobody knows"


@pytest.mark.parametrize("damaged", ["[1", "null", "[1]", "{}"])
def test_a_damaged_one_is_made_again(damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "code_version", lambda: "1")
    kept(tmp_path, "net", lambda: [1])
    (file,) = (tmp_path / FOLDER).iterdir()
    file.write_text(damaged)
    assert kept(tmp_path, "net", lambda: [2]) == [2]
    assert kept(tmp_path, "net", lambda: [3]) == [2]
