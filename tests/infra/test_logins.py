"""Logins in URLs are refused where they would be stored, and shown nowhere."""

from __future__ import annotations

import pytest
from botocore.exceptions import ProxyConnectionError

from sluice.infra.logins import without_logins
from sluice.infra.s3.faults import explain
from sluice.infra.storage import StorageError, storage


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:s3cr@t@host:80/a b", "https://host:80/a b"),
        ('to "http://me@[::1]/x" and https://you:p@here', 'to "http://[::1]/x" and https://here'),
        ("https://me:s3/cr?e#t@host/a and http://me:/@host", "https://host/a and http://host"),
        ("https://me:s3@/cret@host/a, s3://me:s3/cret@bucket/x", "https://host/a, s3://bucket/x"),
        (
            "http://host:80/a@b http://[::1]:80/a@b s3://b/c:d/e@f",
            "http://host:80/a@b http://[::1]:80/a@b s3://b/c:d/e@f",
        ),
        ("s3://me:12/s3cret@bucket/x, s3://b/c:12/e@f", "s3://bucket/x, s3://b/c:12/e@f"),
        ("http://host/a@b, s3://bucket/a@b, me@host", "http://host/a@b, s3://bucket/a@b, me@host"),
    ],
)
def test_a_text_without_logins(text: str, shown: str) -> None:
    assert without_logins(text) == shown


@pytest.mark.parametrize(
    "uri", ["https://me:s3cret@host/x", "s3://me:s3cret@bucket/x", "s3://me:/s3cret@bucket/x", "s3://me:1/s3cret@b"]
)
def test_a_place_with_a_login_is_refused_and_the_login_not_said(uri: str) -> None:
    with pytest.raises(StorageError, match=r"came with a login.*take it out") as refused:
        storage(uri)
    assert "s3cret" not in str(refused.value)


def test_an_endpoint_with_a_login_is_refused_and_the_login_not_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://me:s3cret@127.0.0.1:9")
    with pytest.raises(StorageError, match=r"AWS_ENDPOINT_URL, http://127\.0\.0\.1:9, has a login in it") as refused:
        storage("s3://bucket/x")
    assert "s3cret" not in str(refused.value)


def test_what_a_library_says_of_a_proxy_is_said_without_its_login() -> None:
    fault = ProxyConnectionError(proxy_url="http://me:s3cret@proxy:80", error="refused by http://me:s3cret@proxy:80")
    said = str(explain(fault, "s3://bucket/a", "read", "bucket", "https://s3", 1))
    assert "proxy:80" in said
    assert "s3cret" not in said
