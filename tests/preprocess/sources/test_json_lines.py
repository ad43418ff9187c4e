from __future__ import annotations

import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sluice.infra.local import LocalStorage
from sluice.infra.storage import storage
from sluice.preprocess.sources.json_lines import JsonLines


def test_every_line_is_found_and_the_first_of_equals(tmp_path: Path) -> None:
    lines = [{"source": f"{n}.jpg", "n": n} for n in range(1000)] + [{"source": "7.jpg", "n": -1}]
    (tmp_path / "t.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = JsonLines(storage(tmp_path), "t.json", "source")
    assert [table.find(f"{n}.jpg") for n in range(1000)] == lines[:1000]
    assert table.find("1000.jpg") is None
    assert table.marks.nbytes + table.offsets.nbytes == 16 * len(lines)


class Distant(io.BytesIO):
    """A stream that lets other threads run before it reads, as a request to a bucket does."""

    def readline(self, size: int | None = -1) -> bytes:
        time.sleep(0.001)
        return super().readline(size)


class DistantFolder(LocalStorage):
    def open(self, path: str) -> io.BytesIO:
        return Distant((self.root / path).read_bytes())


def test_threads_that_share_a_table_find_their_own_lines(tmp_path: Path) -> None:
    lines = [{"source": f"{n}.jpg", "n": n} for n in range(200)]
    (tmp_path / "t.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = JsonLines(DistantFolder(tmp_path), "t.json", "source")
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda line: table.find(line["source"]), lines)) == lines
