"""Names to weights: `find` resolves a name to local files and never downloads, `pull` brings them."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from sluice.infra.catalogue import Entry, Hub, UnknownModel, catalogue, entry
from sluice.infra.download import Progress
from sluice.infra.errors import SluiceError
from sluice.infra.origins import bring
from sluice.infra.pickles import to_safetensors
from sluice.infra.weight_store import DamagedWeights, WeightStore, cache_folder, files_in, sha256_of

__all__ = [
    "DamagedWeights",
    "Entry",
    "Found",
    "MissingWeights",
    "UnknownModel",
    "WrongWeights",
    "catalogue",
    "find",
    "pull",
]


class MissingWeights(SluiceError):
    """The weights are known but not here; the message says how to get them."""


class WrongWeights(SluiceError):
    """What an origin gave does not have the digest that it must have."""


@dataclass(frozen=True)
class Found:
    """Weights on this machine: a file or folder, the SHA-256 of what was published, the catalogue's entry if any."""

    name: str
    path: Path
    digest: str
    info: Entry | None


def find(name: str) -> Found:
    """The weights of a catalogue name, of a local file or folder, or of an s3:// URI that was pulled; cheap.

    Raises MissingWeights, UnknownModel, and DamagedWeights where the cache holds something else than was put there.
    """
    if not name.startswith("s3://") and name not in catalogue():
        return _local(name)
    store = WeightStore(cache_folder())
    pointer = store.get(name)
    if pointer is None:
        raise MissingWeights(_how_to_get(name, store))
    damage = store.damage(pointer)
    if damage:
        raise DamagedWeights(
            f"The cached weights '{name}' are damaged: {damage}. Run `sluice models pull {name}` to fetch them again."
        )
    return Found(name, store.path(pointer), pointer.digest, catalogue().get(name))


def pull(name: str, origin: str | None = None, progress: Progress | None = None) -> Found:
    """Bring weights into the cache, unless they are there, and check their digest.

    `origin` is None (where the catalogue says), "hub", a folder, a file or an s3:// URI; `progress(done, total)` counts
    bytes, total 0 where it is unknown. A pull that was cut off goes on where it stopped.
    """
    known = None if name.startswith("s3://") else entry(name)
    store = WeightStore(cache_folder())
    try:
        return find(name)
    except (MissingWeights, DamagedWeights):
        pass
    with store.workplace(name) as workplace:
        published = bring(name, known, origin, workplace, progress)
        digest = _checked(name, known, published, store)
        store.put(name, _converted(known, published), digest, origin or str(known.origin if known else name))
    return find(name)


def _local(name: str) -> Found:
    path = Path(name).expanduser()
    if not path.exists():
        entry(name)
    return Found(name, path.absolute(), sha256_of(path), None)


def _how_to_get(name: str, store: WeightStore) -> str:
    info = catalogue().get(name)
    size = f", {info.size / 1e6:,.1f} MB" if info and info.size else ""
    source = f" ({info.origin}{size}; licence: {info.licence})" if info else ""
    return (
        f"The weights '{name}' are not in the cache {store.root}. Get them with `sluice models pull {name}`{source}; "
        f"without a network, `sluice models pull {name} --from FOLDER` takes them from a folder or s3://... ."
    )


def _checked(name: str, known: Entry | None, published: Path, store: WeightStore) -> str:
    """The digest of what was published; raises WrongWeights, and throws the wrong file away, if it is another."""
    digest = sha256_of(published)
    wanted = known.sha256 if known else None
    if known and isinstance(known.origin, Hub) and published.is_dir():
        for pattern, expected in known.origin.files.items():
            for file in fnmatch.filter((str(p.relative_to(published)) for p in files_in(published)), pattern):
                _require_digest(name, published / file, expected)
    recorded = store.get(name)
    wanted = wanted or (recorded.digest if recorded else None)
    _require_digest(name, published, wanted)
    return digest


def _require_digest(name: str, path: Path, wanted: str | None) -> None:
    if wanted is None or sha256_of(path) == wanted:
        return
    raise WrongWeights(f"{path.name} of '{name}' has another SHA-256 than expected ({wanted}).")


def _converted(known: Entry | None, published: Path) -> Path:
    if known is None or known.pickled is None:
        return published
    to = published.with_suffix(".safetensors")
    to_safetensors(published, known.pickled, to)
    return to
