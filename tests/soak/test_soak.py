"""That a soak notices what is lost, doubled or different, and says so."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests.flows.runs import Command
from tests.soak.faults import FAULTS, Fault, Lasting, fill
from tests.soak.flows import FLOWS, Made
from tests.soak.grounds import Grounds
from tests.soak.report import Soaked, page
from tests.soak.run import Outcome, Run, compare
from tests.soak.storm import Storm, Strike, every

WHOLE = Made(Counter(["one", "two"]), {"a.tar": "0", "b.tar": "1"})


def soaked(*outcomes: Outcome) -> Soaked:
    strikes = [
        Strike("worker", "dataset", 3.0, Lasting(), went_on_s=4.0),
        Strike("S3 503", "dataset on S3", 70.0, Lasting(), went_on_s=20.0, started_again=True),
    ]
    return Soaked({"seed": "0"}, outcomes, strikes, {"disk full": "there was none"})


def test_what_is_as_in_the_undisturbed_run_is_no_defect() -> None:
    outcome = compare(Run("dataset", starts=2), WHOLE, WHOLE)
    assert soaked(outcome).defects == []
    text = page(soaked(outcome))
    assert "**2 faults: 0 lost, 0 doubled, 0 of 2 digests differ.**" in text
    assert "| dataset | 1 | 2 | 1 | 2 | 0 | 0 | 2 | 0 |" in text
    assert "What was wrong" not in text
    assert "Not dealt: disk full, there was none." in text


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Made(Counter(["one"]), WHOLE.digests), "lost: two (1)"),
        (Made(Counter(["one", "two", "two"]), WHOLE.digests), "doubled: two (1)"),
        (Made(WHOLE.items, {"a.tar": "0", "b.tar": "2"}), "not the bytes of the undisturbed run: b.tar"),
        (Made(WHOLE.items, {"a.tar": "0"}), "not the bytes of the undisturbed run: b.tar"),
        (Made(WHOLE.items, {**WHOLE.digests, "c.tar": "2"}), "not the bytes of the undisturbed run: c.tar"),
    ],
)
def test_what_is_lost_doubled_or_different_is_named(made: Made, said: str) -> None:
    found = soaked(compare(Run("dataset"), made, WHOLE))
    assert found.defects == [f"dataset: {said}"]
    assert f"- dataset: {said}" in page(found)


def test_a_run_that_hung_or_failed_for_no_fault_is_named() -> None:
    outcome = compare(Run("train", hung=1, failed=["exit 1, without a word"]), WHOLE, WHOLE)
    assert soaked(outcome).defects == [
        "train: ended, although no fault had met it: exit 1, without a word",
        "train: stood still and was ended from outside (1)",
    ]


def test_a_fault_that_no_request_met_is_not_counted() -> None:
    missed, met = Lasting(spoils=lambda: 0), Lasting(spoils=lambda: 3)
    met.end()
    strikes = [Strike("S3 reset", "train", 3.0, missed), Strike("S3 slow", "train", 70.0, met, went_on_s=5.0)]
    text = page(Soaked({}, [], strikes, {}))
    assert "**1 faults:" in text
    assert "| S3 slow | every answer comes 2 s late, for 5 to 20 s, and one at least | 1 | 1 | 0 | 3 | 5 | 5 |" in text
    assert "Not counted: S3 reset (1), which no request met before the run, or the minute, was over." in text


def test_a_fault_that_met_nothing_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    meets = iter([0, 0, 2])

    def begin(*_: object) -> Lasting:
        requests = next(meets)
        return Lasting(spoils=lambda: requests)

    monkeypatch.setitem(cast(dict[str, Fault], FAULTS), "S3 slow", Fault("", begin))
    flow = next(flow for flow in FLOWS if "S3 slow" in flow.hit_by)
    storm = Storm(cast(Grounds, SimpleNamespace(small=True)), random.Random(0), iter([0.0]), {"S3 slow"})
    struck = []
    for _ in range(5):
        struck.append(storm.blow(cast(Command, None), flow, written=True))
        storm.calm()
    assert [strike and strike.lasting.met for strike in struck] == [False, False, True, None, None]


def test_each_span_has_one_moment_and_a_seed_has_its_own() -> None:
    moments = list(every(60, 600, random.Random(1)))
    assert [int(moment // 60) for moment in moments] == list(range(10))
    assert moments == list(every(60, 600, random.Random(1))) != list(every(60, 600, random.Random(2)))


def test_every_fault_meets_some_flow() -> None:
    assert FAULTS.keys() == set().union(*(flow.hit_by for flow in FLOWS))


def test_a_disk_is_filled_to_its_last_page(tmp_path: Path) -> None:
    """A file's largest size stands for it where nothing can be mounted."""
    import resource

    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
    try:
        fill(tmp_path / "filler")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / "filler").stat().st_size > 3_000_000 - 4096
