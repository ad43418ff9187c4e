"""Causes for which images were left out, as a terminal tells them."""

from __future__ import annotations

from sluice.flows.dataset.causes import SHOWN, causes


def entry(uri: str, reason: str, stage: str = "image", kind: str = "failed") -> dict[str, str]:
    return {"uri": uri, "reason": reason, "stage": stage, "kind": kind}


def test_a_cause_is_told_once_with_one_image_and_how_many_more() -> None:
    failed = [entry(f"{n}.jpg", f"{n}.jpg is no readable image of {n} bytes\nTraceback: ...") for n in range(40)]
    small = [entry("small.jpg", "48 pixels wide", kind="filtered"), entry("1.jpg", "no readable image", "depth")]
    assert [*causes([*failed, *small])] == [
        "  0.jpg and 39 more (image): 0.jpg is no readable image of 0 bytes",
        "  small.jpg (image, filtered): 48 pixels wide",
        "  1.jpg (depth): no readable image",
    ]


def test_of_many_causes_the_first_are_told_and_the_others_counted() -> None:
    entries = [entry(f"{place}.jpg", f"cause {letter}") for place, letter in enumerate("abcdefg"[: SHOWN + 2])]
    *told, last = causes([*entries, *entries[-1:]])
    assert len(told) == SHOWN
    assert last == "  and 3 more of 2 other causes"
    assert [*causes(entries[:-1])][-1] == "  and 1 more of 1 other cause"


def test_a_name_is_shown_without_its_control_characters() -> None:
    (told,) = causes([entry("a\x1b[2J\nall is well.jpg", "'a\x1b[2J' is no picture")])
    assert told == r"  a\x1b[2J\nall is well.jpg (image): 'a\x1b[2J' is no picture"
