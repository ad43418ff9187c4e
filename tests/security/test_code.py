"""What no file of ours does, by its syntax: unpickle, evaluate, call a shell, ask the network where none is needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GATES = ("flows", "preprocess", "training", "inference", "infra")
FILES = sorted(file for gate in GATES for file in (ROOT / gate).rglob("*.py"))
ASKING = {
    "infra/weights/download.py", "infra/weights/origins.py", "infra/s3/connection.py",  # what a user names
    "flows/schedule/deploy.py", "flows/submit/speaking.py",  # a Prefect server, a cluster
}  # fmt: skip
NETWORK = {"urllib.request", "http.client", "httpx", "requests", "aiohttp", "boto3", "fsspec", "huggingface_hub"}
FORBIDDEN = {
    "eval", "exec", "compile", "os.system", "os.popen", "pickle.load", "pickle.loads", "dill.loads", "joblib.load",
    "yaml.unsafe_load", "yaml.full_load", "marshal.loads", "shelve.open", "tarfile.TarFile.extractall",
}  # fmt: skip


def calls(file: Path) -> Iterator[tuple[str, dict[str, str], str]]:
    """The dotted name of each thing called, its named arguments, and all as it is written."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            given = {own.arg: ast.unparse(own.value) for own in node.keywords if own.arg}
            yield ast.unparse(node.func), given, ast.unparse(node)


ALL_CALLS = [(str(file.relative_to(ROOT)), *call) for file in FILES for call in calls(file)]


def test_nothing_is_evaluated_unpickled_or_given_to_a_shell() -> None:
    found = [(file, call) for file, name, given, call in ALL_CALLS if name in FORBIDDEN or given.get("shell") == "True"]
    assert found == []
    assert [file for file, name, *_ in ALL_CALLS if name.endswith((".extractall", ".extract"))] == []


def test_checkpoints_and_arrays_are_read_without_objects() -> None:
    loads = [(file, given) for file, name, given, _ in ALL_CALLS if name == "torch.load"]
    assert len(loads) >= 4
    assert [file for file, given in loads if given.get("weights_only") != "True"] == []
    assert [file for file, _, given, _ in ALL_CALLS if given.get("allow_pickle", "False") != "False"] == []
    assert [file for file, _, given, _ in ALL_CALLS if given.get("trust_remote_code", "False") != "False"] == []


def test_yaml_makes_plain_values_alone() -> None:
    loads = [call for _, name, _, call in ALL_CALLS if name in ("yaml.load", "yaml.load_all")]
    safe = {"yaml.BaseLoader", "yaml.SafeLoader", *(name for file in FILES for name in made_of_the_safe_loader(file))}
    assert [call for call in loads if call.removesuffix(")").split(", ")[-1] not in safe] == []


def made_of_the_safe_loader(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == ["yaml.SafeLoader"]:
            yield node.name


def test_templates_escape() -> None:
    made = [given for _, name, given, _ in ALL_CALLS if name.split(".")[-1] == "Environment"]
    assert [given.get("autoescape") for given in made] == ["True"]
    marked = {file for file, name, *_ in ALL_CALLS if name in ("Markup", "markupsafe.Markup")}
    assert marked <= {"infra/page/render.py"}, "only there, of texts of our own"


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_few_files_ask_the_network_and_no_source_or_stage_is_among_them() -> None:
    asking = {
        str(file.relative_to(ROOT))
        for file in FILES
        if any(name == network or name.startswith(f"{network}.") for name in imported(file) for network in NETWORK)
    }
    assert asking == ASKING


def test_webdatasets_readers_are_not_used() -> None:
    assert [file for file in FILES if "webdataset" in imported(file)] == []


@pytest.mark.parametrize("address", ["0.0.0.0", "'::'", '"::"'])
def test_nothing_of_ours_listens_everywhere(address: str) -> None:
    assert [file for file in FILES if address in file.read_text()] == []
