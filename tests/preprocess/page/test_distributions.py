"""How a data set's scalars are distributed."""

from __future__ import annotations

import numpy as np
import pytest

from sluice.infra.page.blocks import Histograms, Table, Text
from sluice.preprocess.page.distributions import distributions, histogram


def test_what_varies_is_a_histogram_and_what_does_not_a_sentence() -> None:
    rows = [
        {
            "key": f"{i:x}",
            "width": 256,
            "segments": i % 5,
            "depth_mean": i / 10,
            "split": "train" if i else "validation",
        }
        for i in range(10)
    ]
    plots, sentence, split = distributions(rows)
    assert isinstance(plots, Histograms)
    assert isinstance(sentence, Text)
    assert isinstance(split, Table)
    assert [h.name for h in plots.histograms] == ["segments", "depth, mean (near is 1)"]
    assert [(b.range, b.count) for b in plots.histograms[0].bins] == [(str(n), 2) for n in range(5)]
    assert sentence.text == "The same in every record: width, px 256."
    assert [[cell.text for cell in row] for row in split.rows] == [
        ["train", "9", "90.0%"],
        ["validation", "1", "10.0%"],
    ]


def test_a_histogram_counts_everything_and_marks_the_median() -> None:
    values = np.array([0.0, 0.1, 0.2, 0.9, 1.0])
    drawn = histogram("x", values)
    assert sum(bin.count for bin in drawn.bins) == 5
    assert (drawn.low, drawn.high) == ("0", "1")
    assert drawn.marker == pytest.approx(0.2)
