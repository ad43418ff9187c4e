"""`show`: a data set's page, written beside its manifest."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sluice.infra.local import LocalStorage
from sluice.infra.page.blocks import Page
from sluice.infra.page.render import render
from sluice.infra.storage import Storage, StorageError, storage
from sluice.preprocess.page.dataset import dataset_page, of_run, of_version, run_page
from sluice.preprocess.page.record import record_page
from sluice.preprocess.planning.config import DatasetConfig
from sluice.preprocess.version.manifest import read_version, version_ids

RUN = "run"


def show_dataset(config: DatasetConfig, version: str, key: str | None, page_path: Path | None) -> Path:
    """Write the page of a version, or of one of its records, into the data set; returns the page's local path.

    `version` is an id, its beginning, an alias, or `run`: the run as far as it has come, which `latest` shows too while
    there is no version yet. The page goes to `page_path` as well where that is given, and to the working folder where
    the data set lies on S3. Raises UnknownVersion, UnknownRecord, ConfigError, StorageError.
    """
    place = storage(config.out)
    now = datetime.now().astimezone()
    unfinished = version == RUN or (key is None and version == "latest" and not version_ids(place, config.name))
    if unfinished:
        return write_page(_page_of_run(config, now), place, run_page(config.name), page_path)
    shown = read_version(place, config.name, version)
    if key is None:
        return write_page(dataset_page(of_version(place, shown), now), place, f"{shown.prefix}/page.html", page_path)
    page = record_page(place, shown, key, now)
    return write_page(page, place, f"{shown.prefix}/page-{page.title}.html", page_path)


def _page_of_run(config: DatasetConfig, now: datetime) -> Page:
    from sluice.flows.dataset.indexing import prepare_build
    from sluice.preprocess.planning.build import read_commits

    build = prepare_build(config)
    return dataset_page(of_run(build, read_commits(build)), now)


def write_page(page: Page, place: Storage, path: str, page_path: Path | None) -> Path:
    """Write a page into a place, and to `page_path` or, from S3, to the working folder; returns its local path."""
    data = render(page)
    place.write(path, data)
    if page_path is None and isinstance(place, LocalStorage):
        return place.root / path
    local = page_path or Path(path.replace("/", "-").removeprefix("datasets-"))
    try:
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(data)
    except OSError as error:
        raise StorageError(
            f"{local} could not be written: {error.strerror}. The page lies at {place.uri}/{path}; give --page a path "
            "that may be written to."
        ) from error
    return local
