"""What the documentation prints, as typed: configurations that resolve, ready ones that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sluice.flows.configs import find_config
from sluice.preprocess.graph import order
from sluice.preprocess.planning.config import load_config, make_source, make_stages

PAGES = [*Path(__file__).parents[1].glob("docs/*.md"), Path(__file__).parents[1] / "README.md"]
CONFIGURATIONS = [
    pytest.param(block, id=page.name)
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL)
    if "stages:" in block
]


@pytest.mark.parametrize("block", CONFIGURATIONS)
def test_a_printed_configuration_is_a_whole_one(block: str, tmp_path: Path) -> None:
    (tmp_path / "printed.yaml").write_text(block)
    config = load_config(tmp_path / "printed.yaml")
    make_source(config)
    assert order(make_stages(config))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_printed_command_names_a_configuration_that_is_there(page: Path) -> None:
    printed = set(re.findall(r"sluice dataset \w+ [^`\n]*?(?:-c|--config) ([\w.-]+)", page.read_text()))
    shown_here = set(re.findall(r"^# (\w+\.yaml):", page.read_text(), re.MULTILINE))
    assert not [name for name in printed - shown_here if not find_config(Path(name)).is_file()]
