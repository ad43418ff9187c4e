"""The catalogue: which weights there are, where each comes from, its digest, its licence and the doubts about it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sluice.infra.errors import SluiceError

CATALOGUE = Path(__file__).with_name("catalogue.yaml")
WEIGHTS = {".safetensors", ".bin", ".pth", ".onnx"}


class UnknownModel(SluiceError):
    """A name that is neither in the catalogue nor a file."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or ".." in parts:
        raise ValueError(f"'{path}' leaves its folder; a member is a relative path without '..'")
    return path


Inside = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Package(_Strict):
    """A file in a package: sdist and npm members leave out the one folder that those archives wrap around all."""

    package: str
    version: str
    archive: Literal["wheel", "sdist", "npm"]
    member: Inside

    def __str__(self) -> str:
        return f"{self.archive} {self.package} {self.version}"


class Hub(_Strict):
    """Files of a model repository: each name (or pattern) with its SHA-256, null where that is not known."""

    hub: str
    revision: str = "main"
    files: Mapping[Inside, Sha256 | None]

    def __str__(self) -> str:
        return f"hub {self.hub}" + ("" if self.revision == "main" else f" at {self.revision[:8]}")


class Shipped(_Strict):
    """A file or folder of Sluice's own, below its root; of a folder, only `files` count for the digest."""

    shipped: Inside
    files: tuple[str, ...] = ("*",)

    def __str__(self) -> str:
        return "shipped with Sluice"


class Entry(_Strict):
    """One row: `kind` says what it sees, `network` which code runs it, `form` what lies in the cache.

    `sha256` and `size` are of the file as it is published, of a folder the size of its weights. `pickled` files are
    converted to safetensors, once.
    """

    kind: Literal[
        "salient",
        "edges",
        "segment",
        "pose",
        "depth",
        "inpaint",
        "clip",
        "safety",
        "faces",
        "diffusion",
        "control",
        "judge",
        "metric",
        "text",
    ]
    what: str
    network: str
    form: Literal[
        "onnx",
        "keras-h5",
        "safetensors",
        "torchscript",
        "tensorflow-graph",
        "mediapipe-task",
        "tflite",
        "npz",
        "text",
        "folder",
    ]
    origin: Package | Hub | Shipped
    sha256: Sha256 | None = None
    size: int | None = None
    pickled: Literal["torch", "numpy"] | None = None
    licence: str
    doubts: str | None = None
    needs: str | None = None

    @property
    def file(self) -> str | None:
        """The published file's own name; None for a folder."""
        if self.form == "folder":
            return None
        match self.origin:
            case Package(member=inside) | Shipped(shipped=inside):
                return PurePosixPath(inside).name
            case Hub(files=files):
                return PurePosixPath(next(iter(files))).name

    @property
    def unverified(self) -> tuple[str, ...]:
        """The files of weights whose digest the catalogue does not know, and which are believed as they come."""
        files = self.origin.files.items() if isinstance(self.origin, Hub) else ()
        return tuple(name for name, digest in files if digest is None and PurePosixPath(name).suffix in WEIGHTS)


class _Catalogue(_Strict):
    models: dict[str, Entry]


def catalogue() -> dict[str, Entry]:
    """Every entry by name."""
    return read_catalogue(CATALOGUE)


@cache
def read_catalogue(file: Path) -> dict[str, Entry]:
    """The entries of a catalogue's file, read once."""
    return _Catalogue.model_validate(yaml.safe_load(file.read_text())).models


def entry(name: str) -> Entry:
    """The catalogue's entry; raises UnknownModel, which names the nearest name."""
    models = catalogue()
    if name in models:
        return models[name]
    near = difflib.get_close_matches(name, models, n=1, cutoff=0.4)
    guess = f"Did you mean '{near[0]}'? " if near else ""
    raise UnknownModel(
        f"'{name}' is neither a model of the catalogue nor a file or folder here. {guess}"
        "`sluice models list` shows every name; a path to your own weights works as well."
    )


def readable_size(size: int | None) -> str:
    """Bytes as a person reads them, `?` where they are not known."""
    if size is None:
        return "?"
    if size < 1_000_000:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1_000_000_000 else f"{size / 1e9:.1f} GB"
