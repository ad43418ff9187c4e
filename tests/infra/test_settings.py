"""Settings from YAML, and what is put over them by dotted names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from sluice.infra.settings import ConfigError, override, parse, read_settings

BOMB = "a0: &a0 [b, b, b, b, b, b, b, b, b, b]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
"""A kilobyte that says ten billion values."""


class Named(BaseModel):
    names: tuple[str, ...]


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
        ("c=2026-13-01", "'2026-13-01' is no such value as it looks like (month must be in 1..12); put quotes around"),
        ("c=" + "[" * 3000 + "]" * 3000, "the value nests deeper than any configuration does"),
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
        ("a: b\nc: [2024-02-30]", r"(?s)'2024-02-30' is no such value as it looks like \(day is .*line 2, column 5"),
        ("a: 0x_", "'0x_' is no such value as it looks like"),
        ("a: !!timestamp soon", "'soon' is no such value as it looks like"),
        ("a: !!set [b]", "expected a mapping node"),
        ("a: &a [*a]", r"(?s)\*a holds itself.*line 1, column 8"),
        (BOMB, r"(?s)aliases stand for more than 100000 values, which no configuration needs.*line 5"),
        (
            "a0: &a0 {b: c}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 40)),
            "aliases",
        ),
        ("a: " + "[" * 3000 + "]" * 3000, "nests deeper than any configuration does"),
    ],
)
def test_what_is_no_configuration_is_said(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_settings(tmp_path / "a.yaml", "`a: 1`")


def test_aliases_repeat_what_they_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("all: &all {seed: 1}\nown: [&b [*all, *all], *b, {<<: *all, steps: 5}]\n")
    own = read_settings(tmp_path / "a.yaml", "`a: 1`")["own"]
    assert own == [[{"seed": 1}, {"seed": 1}], [{"seed": 1}, {"seed": 1}], {"seed": 1, "steps": 5}]


def test_of_a_long_value_errors_show_the_beginning() -> None:
    with pytest.raises(
        ConfigError, match=r"^job: names: here goes a list, .* \(it is \{0: 0, 1: 1, 2: 2, 3: 3, \.\.\.\}\)$"
    ):
        parse(Named, {"names": {n: n for n in range(1000)}}, "job")
