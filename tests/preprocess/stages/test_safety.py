from pathlib import Path

import numpy as np
import pytest

from sluice.preprocess.record import Record
from sluice.preprocess.stages.safety import Safety, SafetyParameters


def _record(colour: tuple[int, int, int]) -> Record:
    return Record("0" * 16, values={"jpg": np.full((60, 80, 3), colour, np.uint8)})


def _judged(weights: Path, record: Record, **parameters: object) -> Record:
    stage = Safety(SafetyParameters(model=str(weights), **parameters))
    stage.open(weights)
    stage([record])
    return record


def test_what_exceeds_the_threshold_is_filtered_with_its_score(tiny_nsfw: Path) -> None:
    rejection = _judged(tiny_nsfw, _record((200, 117, 104))).rejection
    assert rejection is not None
    assert rejection.kind == "filtered"
    assert rejection.reason == "unsafe: 0.92 > threshold 0.80"


def test_what_does_not_stays_with_its_score(tiny_nsfw: Path) -> None:
    for colour, threshold, unsafe in (((123, 117, 104), 0.8, 0.5), ((200, 117, 104), 0.95, 0.9173)):
        record = _judged(tiny_nsfw, _record(colour), threshold=threshold)
        assert record.rejection is None
        assert record["safety.json"] == {"unsafe": pytest.approx(unsafe, abs=1e-3), "model": str(tiny_nsfw)}


def test_a_folder_is_a_transformers_classifier(tiny_classifier: Path) -> None:
    every_label = ("normal", "porn", "hentai")
    rejection = _judged(tiny_classifier, _record((90, 80, 70)), unsafe_labels=every_label).rejection
    assert rejection is not None
    assert rejection.reason == "unsafe: 1.00 > threshold 0.80"


def test_without_weights_it_says_so() -> None:
    with pytest.raises(ValueError, match="needs weights"):
        Safety(SafetyParameters()).open(None)
