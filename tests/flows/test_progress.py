"""What a run says while it runs."""

from __future__ import annotations

import io
import re
import time

from rich.console import Console

from sluice.flows.progress import BuildProgress


def said(terminal: bool) -> str:
    """Of two stages, the second of which starts half a second later and then does 20 records/s."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=80)
    with BuildProgress(console, {"image": (16000, 20), "background": (20, 2)}) as progress:
        progress.advance("image", 16000, 20)
        time.sleep(0.5)
        progress.advance("background", 10, 1)
        time.sleep(0.5)
        progress.advance("background", 10, 1)
        progress.bars.refresh()
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", console.file.getvalue())


def test_in_lines_the_rate_is_that_of_the_stage_and_not_of_the_run() -> None:
    last = said(terminal=False).splitlines()[-1]
    found = re.search(r"background: 20 of 20 records, 2/2 shards, (\d+) records/s", last)
    assert found
    assert 14 < int(found[1]) <= 20


def test_bars_fit_a_narrow_terminal_and_move_while_nothing_arrives() -> None:
    lines = said(terminal=True).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.search(r"background .* 20/20 +\d+ records/s +0:00:01 .*left", line) for line in lines), lines[-3:]
    assert all("…" not in line for line in lines)
    spinners = {line[0] for line in lines if line.strip() and "background" in line}
    assert len(spinners) > 2
