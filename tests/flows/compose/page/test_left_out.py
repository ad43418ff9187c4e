"""What was left out, with where it is written."""

from __future__ import annotations

from typing import Any

from sluice.flows.compose.page.left_out import left_out_blocks
from sluice.flows.compose.run.tables import Row
from sluice.infra.page.blocks import Table
from tests.flows.compose.page.pages import found


def test_what_was_left_out_is_told_with_where_it_is_written(job: dict[str, Any]) -> None:
    one = {**job, "prompts": ["a star"], "seeds": [3]}
    safety = {"safety": {"by": "open-nsfw", "unsafe": 0.25}}
    made = found(one, cut=["a star"], batch=2, left_out={"energies.0": [981, 21]}, **safety)
    gone = found({**one, "seeds": [4]}, reason="its worker died of it twice")
    text, table = left_out_blocks([made, gone], [Row(7, wrong="rows.csv: row 7: column seed: it is no number")])
    assert "Judged by `open-nsfw`: 0.25 of 1 is the highest" in getattr(text, "text", "")
    assert isinstance(table, Table)
    rows = [tuple(cell.text for cell in row) for row in table.rows]
    assert rows == [
        ("row 7", "left out: wrong", "rows.csv: row 7: column seed: it is no number"),
        ("a star, seed 3", "text cut", "it is longer than its model reads: a star"),
        ("a star, seed 3", "batch made smaller", "memory held 2 at once"),
        ("a star, seed 3", "energies.0 left out", "it had no finite gradient at t 981, 21"),
        ("a star, seed 4", "withheld", "its worker died of it twice"),
    ]
    assert [row[0].link for row in table.rows][-1] == f"quarantine/{gone.asked.name}.json"
