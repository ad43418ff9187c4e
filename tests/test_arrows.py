"""The import arrows of the design: who may import whom, and where Prefect and Ray may be named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GATES = ("flows", "preprocess", "training", "inference", "infra")
ALLOWED = {
    "infra": ("infra",),
    "preprocess": ("preprocess", "infra"),
    "training": (
        "training", "preprocess.record", "preprocess.shards", "preprocess.silence", "preprocess.tabletop", "infra",
    ),
    "inference": (
        "inference", "training.networks", "training.balance", "training.conservativity", "training.written_out",
        "preprocess.record", "preprocess.shards", "preprocess.silence", "preprocess.perception", "infra",
    ),
    "flows": GATES,
}  # fmt: skip
LIBRARIES = {"prefect": ("flows",), "ray": ("flows", "infra")}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(gate: str) -> list[Path]:
    return sorted((ROOT / gate).rglob("*.py"))


@pytest.mark.parametrize("gate", GATES)
def test_a_gate_imports_only_what_the_design_allows(gate: str) -> None:
    for path in files(gate):
        for name in imports(path):
            if name.startswith("sluice."):
                place = name.removeprefix("sluice.")
                parents = [place.startswith(a) or a.startswith(place) for a in ALLOWED[gate]]
                assert any(parents), f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize(("library", "gates"), LIBRARIES.items())
def test_ray_and_prefect_stay_in_their_folders(library: str, gates: tuple[str, ...]) -> None:
    for gate in set(GATES) - set(gates):
        for path in files(gate):
            assert not any(name.split(".")[0] == library for name in imports(path)), f"{path} imports {library}"


def test_every_folder_with_python_and_the_models_are_packaged() -> None:
    import tomllib

    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {"sluice", "sluice.models"} | {
        ".".join(["sluice", *path.parent.relative_to(ROOT).parts])
        for gate in GATES
        for path in (ROOT / gate).rglob("__init__.py")
    }
    assert set(packages) == there
