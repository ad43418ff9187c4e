"""A record is found by its key, and has a page."""

from __future__ import annotations

import pytest

from sluice.infra.local import LocalStorage
from sluice.infra.page.render import render
from sluice.preprocess.page.record import UnknownRecord, find_record, record_page
from sluice.preprocess.page.records import sample
from sluice.preprocess.version.manifest import Version, table_rows
from tests.preprocess.page.made_pages import WHEN, section


def test_a_record_is_found_by_the_beginning_of_its_key_and_its_fields_lie_where_the_page_says(
    small: tuple[LocalStorage, Version],
) -> None:
    storage, version = small
    key = sample(storage, list(table_rows(storage, version, "shards.parquet")), 7).records[6].key
    found = find_record(storage, version, key[:12])
    assert found.key == key
    assert {place.field for place in found.places} == {w for s in version.manifest["stages"] for w in s["writes"]}
    for place in found.places:
        assert storage.read_range(place.file, place.offset, len(place.data)) == place.data


def test_the_page_of_a_record_holds_every_field(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    key = sample(storage, list(table_rows(storage, version, "shards.parquet")), 1).records[0].key
    page = record_page(storage, version, key, WHEN)
    labels = [figure.label for figure in section(page, "fields")[0].figures]
    assert sorted([*labels, "txt", "json"]) == sorted(w for s in version.manifest["stages"] for w in s["writes"])
    assert len(section(page, "silenced")) == 4
    html = render(page).decode()
    assert all(stage["fingerprint"] in html for stage in version.manifest["stages"])
    assert "&#34;split&#34;: &#34;train&#34;" in html


def test_a_key_that_is_no_record_is_explained(small: tuple[LocalStorage, Version]) -> None:
    storage, version = small
    refused = next(e for e in table_rows(storage, version, "quarantine.parquet") if e["stage"] == "canny")
    with pytest.raises(UnknownRecord, match=r"(?s)stage 'canny' left out bad/.*ValueError"):
        find_record(storage, version, refused["key"])
    with pytest.raises(UnknownRecord, match="no record 'nothing'"):
        find_record(storage, version, "nothing")
    with pytest.raises(UnknownRecord, match="60 records whose key begins with ''"):
        find_record(storage, version, "")
