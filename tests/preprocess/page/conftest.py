"""A version to show."""

from __future__ import annotations

import pytest

from sluice.infra.local import LocalStorage
from sluice.preprocess.version.manifest import Version
from tests.made_version import make_version
from tests.preprocess.page.made_pages import LEFT_OUT


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[LocalStorage, Version]:
    """60 records in 6 shards, with a quarantine."""
    storage = LocalStorage(tmp_path_factory.mktemp("small"))
    return storage, make_version(storage, 60, 10, left_out=LEFT_OUT, large=64)
