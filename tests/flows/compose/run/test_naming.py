"""Names of pictures: by what they are made of, wherever that lies."""

from __future__ import annotations

from typing import Any

from sluice.flows.compose.run.naming import name_by


def record(base: str, tar: str, image: str, /, **digests: str) -> dict[str, Any]:
    """Of a picture of a base under a network that is told a file and a record's field."""
    own = {"record": "0123", "of": tar, "field": "canny"}
    controls = [{"network": f"{base}/net", "image": image}, {"network": f"{base}/net", "image": own}]
    model = {"kind": "multi_controlnet", "over": {"kind": "base", "model": base}, "controls": controls}
    told = {"base": "aa", "net": "bb", "image": "cc", "field": "dd"} | digests
    return {
        "job": {"prompts": ["a star"], "seeds": [0], "picture": {"kind": "ddim", "of": model}, "safety": base},
        "made_of": {
            base: told["base"], f"{base}/net": told["net"], image: told["image"],
            f"canny of record 0123 of {tar}": told["field"],
        },
        "sluice": "0.1.0",
        "folder": "/anywhere",
    }  # fmt: skip


def test_what_moved_or_is_named_otherwise_makes_no_other_picture() -> None:
    name = name_by(record("bases/one", "data/0.tar", "edges.png"))
    assert name == name_by(record("/elsewhere/two/", "/moved/1.tar", "lines.png"))
    assert name == name_by({**record("bases/one", "data/0.tar", "edges.png"), "folder": "/another"})


def test_whatever_a_picture_is_made_of_gives_it_another_name() -> None:
    asked = "bases/one", "data/0.tar", "edges.png"
    plain = record(*asked)
    others = [record(*asked, **{what: "ee"}) for what in ("base", "net", "image", "field")]
    others += [
        {**plain, "sluice": "0.2.0"},
        {**plain, "job": {**plain["job"], "seeds": [1]}},
        {**plain, "job": {**plain["job"], "safety": "none"}},
    ]
    swapped = record(*asked, image="dd", field="cc")
    assert len({name_by(own) for own in (plain, swapped, *others)}) == 9


def test_a_prompt_that_is_called_like_weights_stays_a_prompt() -> None:
    plain = record("bases/one", "data/0.tar", "edges.png")
    asked = {**plain, "job": {**plain["job"], "prompts": ["bases/one"]}}
    other = record("bases/two", "data/0.tar", "edges.png")
    assert name_by(asked) != name_by({**other, "job": {**other["job"], "prompts": ["bases/two"]}})
