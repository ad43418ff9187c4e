"""The family before its first step, for whatever must run on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.training.tabletop.family import family


@pytest.fixture(scope="session")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of every part as it is initialised."""
    models = tmp_path_factory.mktemp("untrained")
    for part in family(models).values():
        part.save(part.network(models), models)
    return models
