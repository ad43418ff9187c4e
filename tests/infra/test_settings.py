"""Settings from YAML, and what is put over them by dotted names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.infra.settings import ConfigError, override, read_settings


def test_a_setting_goes_into_mappings_and_items_of_lists() -> None:
    values: dict[str, Any] = {"a": [{"b": 1}, {"b": 2}]}
    override(values, "a.1.b=[3, x]", "steps=50")
    override(values, "c.d.e=yes", "steps=50")
    assert values == {"a": [{"b": 1}, {"b": [3, "x"]}], "c": {"d": {"e": True}}}


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("a.2.b=3", "--set a.2.b=3: items of this list are counted from 0 to 1, and '2' is none"),
        ("a.x=3", "--set a.x=3: items of this list are counted from 0 to 1, and 'x' is none"),
        ("a.0.b.c=3", "--set a.0.b.c=3: there is a value before 'c', and nothing inside it"),
        ("a", "--set takes NAME=VALUE, as in --set steps=50; this was 'a'"),
        ("a=[", "--set a=[: the value is not YAML"),
    ],
)
def test_a_setting_that_goes_nowhere_is_refused(setting: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        override({"a": [{"b": 1}, {"b": 2}]}, setting, "steps=50")
    assert said in str(refused.value)


def test_a_key_that_stands_there_twice_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "job.yaml"
    file.write_text("steps: 5\nall: &all {seed: 1}\nown: {<<: *all, seed: 2}\n")
    assert read_settings(file, "`steps: 5`")["own"] == {"seed": 2}
    file.write_text("steps: 5\nown:\n  seed: 1\n  seed: 2\n")
    with pytest.raises(ConfigError, match=r"(?s)'seed' is there twice.*line 4"):
        read_settings(file, "`steps: 5`")


def test_characters_may_be_escaped_as_json_does(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text('name: "a \\ud83d\\ude00 star"')
    assert read_settings(tmp_path / "a.yaml", "`a: 1`") == {"name": "a \U0001f600 star"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name: "\\ud83d"', "half a character"),
        ("? [a, b]\n: c", "unhashable key"),
        ("a: " + "[" * 3000 + "]" * 3000, "nests deeper than any configuration does"),
    ],
)
def test_what_is_no_configuration_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_settings(tmp_path / "a.yaml", "`a: 1`")
