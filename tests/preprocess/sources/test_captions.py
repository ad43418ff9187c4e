from __future__ import annotations

import json

from sluice.preprocess.sources.captions import Beside


def test_captions_are_stripped_and_come_once() -> None:
    beside = Beside()
    beside.read_text(b"\xef\xbb\xbf one \r\n\r\ntwo\r\none\r\n", "a.txt")
    assert beside.captions == ["one", "two"]


def test_json_may_be_a_bare_text_or_list() -> None:
    beside = Beside()
    beside.read_json(b'"one"', "a.json")
    beside.read_json(b'["two", "three"]', "a.json")
    assert beside.captions == ["one", "two", "three"]


def test_nested_without_end_is_a_warning() -> None:
    beside = Beside()
    beside.read_json(b"[" * 200_000, "a.json")
    assert not beside.captions
    assert "not JSON" in beside.warnings[0]


def test_only_plain_facts_are_kept() -> None:
    beside = Beside()
    beside.read_json(b'{"caption": "c", "url": "u", "ok": true, "n": 1, "x": 1e999, "none": null, "l": [1]}', "a.json")
    assert beside.metadata == {"url": "u", "ok": True, "n": 1}


def test_encoding_leaves_out_what_is_none() -> None:
    beside = Beside()
    beside.add("c")
    assert json.loads(beside.encode("folder", "a.jpg", model=None, split="train")) == {
        "captions": ["c"],
        "origin": {"source": "folder", "uri": "a.jpg", "split": "train"},
    }
