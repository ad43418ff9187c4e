"""What writes the rows and texts of networks that ship."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from sluice.flows.evidence.networks import read_evidence
from tests.models.ship import CATALOGUE, FAMILY, with_row, without_places

SHIPPED = [name for name in read_evidence().networks if (FAMILY / name).exists()]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_row_written_again_is_the_row_there_is(name: str) -> None:
    before = CATALOGUE.read_text()
    after = with_row(before, name, FAMILY / name)
    assert yaml.safe_load(after) == yaml.safe_load(before)
    assert after.count(f"  tabletop/{name}:\n") == 1


def test_no_place_of_a_machine_is_left() -> None:
    said = '"command": "/me/bin/sluice train cnc --out /ours/networks/cnc --engine /opt/infra/deepspeed/cpu.json"'
    clean = '"command": "sluice train cnc --out evidence/networks/cnc --engine infra/deepspeed/cpu.json"'
    assert without_places(said, Path("/ours")) == clean


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_tells_of_no_absolute_path(name: str) -> None:
    for file in (FAMILY / name).rglob("*.json"):
        assert not [word for word in file.read_text().replace('"', " ").split() if word.startswith("/")], file
