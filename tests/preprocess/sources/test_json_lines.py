from __future__ import annotations

import json
from pathlib import Path

from sluice.infra.storage import storage
from sluice.preprocess.sources.json_lines import JsonLines


def test_every_line_is_found_and_the_first_of_equals(tmp_path: Path) -> None:
    lines = [{"source": f"{n}.jpg", "n": n} for n in range(1000)] + [{"source": "7.jpg", "n": -1}]
    (tmp_path / "t.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    table = JsonLines(storage(tmp_path), "t.json", "source")
    assert [table.find(f"{n}.jpg") for n in range(1000)] == lines[:1000]
    assert table.find("1000.jpg") is None
    assert table.marks.nbytes + table.offsets.nbytes == 16 * len(lines)
