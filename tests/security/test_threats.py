"""SECURITY.md: every file and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = [line for line in (ROOT / "SECURITY.md").read_text().splitlines() if line.startswith("| ") and "`" in line]
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.split("|")[1].strip()[:60])
def test_a_threat_has_a_file_that_holds_it_and_a_test_that_proves_it(line: str) -> None:
    _, threat, held, proved, _ = line.split("|")
    files = re.findall(r"`((?:infra|flows|preprocess|training)/[\w/.]+)`", held)
    assert files or "environment" in held, threat
    assert [file for file in files if not (ROOT / file).exists()] == []
    tests = TEST.findall(proved)
    assert tests, threat
    for file, name in tests:
        nodes = ast.walk(ast.parse((ROOT / file).read_text()))
        defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        assert name in defined, f"{file} has no {name}"


def test_there_are_threats() -> None:
    assert len(LINES) > 15
