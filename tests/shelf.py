"""A package index, a catalogue and a cache made for one test: nothing of the machine's own is read."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.infra.weights import catalogue

NET = bytes(range(256)) * 40
"""A network's file."""


class Shelf:
    """`index` is a file:// Simple API, `cache` is $SLUICE_MODELS, `list(name, ...)` adds to the catalogue."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.index = folder / "simple"
        self.cache = folder / "cache"
        self.models: dict[str, Any] = {}
        self.file = folder / "catalogue.yaml"
        self.index.mkdir()
        monkeypatch.setattr(catalogue, "CATALOGUE", self.file)
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", self.index.as_uri())
        monkeypatch.setenv("SLUICE_MODELS", str(self.cache))

    def list(self, name: str, origin: dict[str, Any], data: bytes | None = None, **fields: Any) -> None:
        """An entry of the catalogue; `data` gives its digest and size."""
        promised = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)} if data is not None else {}
        facts = {"kind": "salient", "what": "made in a test", "network": "none", "form": "onnx", "licence": "MIT"}
        self.models[name] = facts | {"origin": origin} | promised | fields
        self.file.write_text(yaml.safe_dump({"models": self.models}))
        catalogue.read_catalogue.cache_clear()

    def publish(self, package: str, archive: str, data: bytes, digest: str | None = None) -> Path:
        """Put an archive's bytes on the package's page, with its SHA-256 as PEP 503 writes it."""
        page = self.index / package
        page.mkdir(exist_ok=True)
        (page / archive).write_bytes(data)
        digest = digest or hashlib.sha256(data).hexdigest()
        with (page / "index.html").open("a") as file:
            file.write(f'<a href="{archive}#sha256={digest}" data-requires-python="&gt;=99">{archive}</a>\n')
        return page / archive


def wheel(members: dict[str, bytes]) -> bytes:
    """A wheel's bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return stream.getvalue()


def sdist(folder: str, members: dict[str, bytes]) -> bytes:
    """An sdist's bytes: everything under one folder."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tarred:
        for name, data in members.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(data)
            tarred.addfile(member, io.BytesIO(data))
    return stream.getvalue()


PACKAGE = {"package": "toy-weights", "version": "1.0.0", "archive": "wheel", "member": "toy/net.onnx"}


def leftovers(shelf: Shelf) -> list[str]:
    """What pulls left in their workplaces."""
    return [p.name for p in (shelf.cache / "partial").iterdir() if p.suffix != ".lock"]
