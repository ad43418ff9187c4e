"""Names to weights: `find` resolves a name to local files and never downloads, `pull` brings them."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path

from sluice.infra.digests import files_in, remembered_sha256, sha256_of
from sluice.infra.errors import SluiceError
from sluice.infra.weights.catalogue import Entry, Hub, Shipped, UnknownModel, catalogue, entry, readable_size
from sluice.infra.weights.download import Progress
from sluice.infra.weights.store import DamagedWeights, WeightStore, cache_folder

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


ROOT = Path(__file__).parents[2]
"""What shipped weights are below."""


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

    Raises MissingWeights, UnknownModel, and DamagedWeights where what the cache holds has not the size of what was put
    there; `pull` looks at every byte.
    """
    if not name.startswith("s3://") and name not in catalogue():
        return _local(name)
    info = catalogue().get(name)
    if info is not None and isinstance(info.origin, Shipped):
        return _shipped(name, info, info.origin)
    store = WeightStore(cache_folder())
    pointer = store.get(name)
    if pointer is None:
        raise MissingWeights(_how_to_get(name, store))
    return Found(name, store.path(pointer), pointer.digest, info)


def pull(name: str, origin: str | None = None, progress: Progress | None = None) -> Found:
    """Bring weights into the cache, unless they are there to the last byte, and check their digest.

    `origin` is None (where the catalogue says), "hub", or a folder or file, local or s3://; `progress(done, total)`
    counts the bytes of each file, total 0 where it is unknown. A pull that was cut off goes on where it stopped.
    """
    if name not in catalogue() and Path(name).expanduser().exists():
        raise WrongWeights(f"'{name}' is here, and there is nothing to pull: what takes a model takes its path.")
    known = None if name.startswith("s3://") else entry(name)
    if known is not None and isinstance(known.origin, Shipped):
        if origin is not None:
            raise WrongWeights(f"'{name}' ships with Sluice; weights of your own are named by their path, not pulled.")
        return find(name)
    store = WeightStore(cache_folder())
    if not store.holds(name):
        with store.workplace(name) as workplace:
            # Whoever held the workplace before may just have brought it.
            if not store.holds(name):
                _bring(name, known, origin, store, workplace, progress)
    return find(name)


def _bring(
    name: str, known: Entry | None, origin: str | None, store: WeightStore, workplace: Path, progress: Progress | None
) -> None:
    from sluice.infra.weights.origins import bring

    published = bring(name, known, origin, workplace, progress)
    digest = sha256_of(published)
    _check_against_catalogue(name, known, published, digest)
    _check_against_first_pull(name, known, digest, store)
    store.put(name, _converted(known, published), digest, origin or str(known.origin if known else name))


def _local(name: str) -> Found:
    path = Path(name).expanduser().absolute()
    if not name or not path.exists():
        entry(name)
    return Found(name, path, remembered_sha256(path, cache_folder() / "digests"), None)


def _shipped(name: str, info: Entry, origin: Shipped) -> Found:
    path = ROOT / origin.shipped
    if not path.exists():
        raise MissingWeights(f"'{name}' ships with Sluice, but {path} is not there: install Sluice again.")
    digest = remembered_sha256(path, cache_folder() / "digests", origin.files)
    if info.sha256 is not None and digest != info.sha256:
        raise DamagedWeights(
            f"{path} has SHA-256 {digest}, and '{name}' must have {info.sha256}: it was changed or damaged. Install "
            "Sluice again; weights of your own are named by their path."
        )
    return Found(name, path, digest, info)


def _how_to_get(name: str, store: WeightStore) -> str:
    info = catalogue().get(name)
    size = f", {readable_size(info.size)}" if info and info.size else ""
    source = f" ({info.origin}{size}; licence: {info.licence})" if info else ""
    return (
        f"The weights '{name}' are not in the cache {store.root}. Get them with `sluice models pull {name}`{source}; "
        f"without a network, `sluice models pull {name} --from FOLDER` takes them from a folder or s3://... ."
    )


def _check_against_catalogue(name: str, known: Entry | None, published: Path, digest: str) -> None:
    if known is None:
        return
    expected = {published: known.sha256} if published.is_file() else {}
    if published.is_dir() and isinstance(known.origin, Hub):
        names = {p.relative_to(published).as_posix(): p for p in files_in(published)}
        for pattern, wanted in known.origin.files.items():
            expected |= {names[match]: wanted for match in fnmatch.filter(names, pattern)}
    for path, wanted in expected.items():
        if wanted is not None and (digest if path == published else sha256_of(path)) != wanted:
            raise WrongWeights(
                f"{path.name}, brought for '{name}', does not have the SHA-256 that the catalogue promises ({wanted}): "
                "it is another version or was damaged on its way, and was thrown away. Take it from the origin that "
                f"`sluice models show {name}` names."
            )


def _check_against_first_pull(name: str, known: Entry | None, digest: str, store: WeightStore) -> None:
    recorded = store.recorded_digest(name)
    if (known is None or known.sha256 is None) and recorded not in {None, digest}:
        raise WrongWeights(
            f"'{name}' is no longer what was first pulled: SHA-256 {digest} instead of {recorded}. What depends on it "
            f"would change with it; if that is meant, delete {store.pointer_file(name)} and pull it again."
        )


def _converted(known: Entry | None, published: Path) -> Path:
    """What goes into the cache: pickles become safetensors, in folders under the names that libraries look for."""
    if known is None or known.pickled is None:
        return published
    from sluice.infra.weights.pickles import to_safetensors

    if published.is_file():
        to_safetensors(published, known.pickled, published.with_suffix(".safetensors"))
        return published.with_suffix(".safetensors")
    for checkpoint in published.rglob("*.bin"):
        renamed = checkpoint.name.replace("pytorch_model.bin", "model.safetensors")
        to_safetensors(checkpoint, known.pickled, checkpoint.with_name(renamed))
        checkpoint.unlink()
    return published
