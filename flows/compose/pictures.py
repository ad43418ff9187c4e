"""A job's pictures as files, each with everything that is needed to make it again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from sluice.flows.compose.composer import Composer
from sluice.flows.compose.job import Job
from sluice.infra.digests import sha256_of
from sluice.infra.models import find
from sluice.infra.settings import ConfigError
from sluice.infra.storage import Storage
from sluice.preprocess.record import Array, encode_png

MODELS = ("model", "network", "by", "fusers")
IMAGES = ("image", "region", "speaks", "mask", "depths", "exemplars")
QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Asked:
    """One picture of a job: its prompt and seed, and the name of its files, a digest of all that it is made of."""

    prompt: str
    seed: int
    record: dict[str, Any]

    @property
    def name(self) -> str:
        told = json.dumps(self.record, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def pictures_of(job: Job, folder: Path) -> Iterator[Asked]:
    """Every prompt with every seed. Raises ConfigError for an image that is not in `folder`, and what `find` raises."""
    plain = job.model_dump(mode="json")
    made_of = {name: find(name).digest for name in sorted(_named(plain, *MODELS))}
    made_of |= {name: _digest(folder / name) for name in sorted(_named(plain, *IMAGES))}
    shared = {
        "folder": str(folder.absolute()),
        "made_of": made_of,
        "sluice": importlib.metadata.version("sluice-diffusion"),
    }
    for prompt in job.prompts:
        for seed in job.seeds:
            yield Asked(prompt, seed, {"job": {**plain, "prompts": [prompt], "seeds": [seed]}, **shared})


def make(composer: Composer, asked: Sequence[Asked], out: Storage) -> dict[str, list[int]]:
    """Pictures in a batch of always the same shape, filled up with the last: each has the same bytes in any.

    Returned are the energies that were left out, and when.
    """
    filled = [*asked, *[asked[-1]] * (composer.job.batch - len(asked))]
    pictures = composer([own.prompt for own in filled], [own.seed for own in filled])
    left_out = {f"energies.{number}": steps for number, steps in composer.left_out.items() if steps}
    for own, picture in zip(asked, pictures, strict=False):
        out.write(f"{own.name}.png", encode_png(_pixels(picture)))
        out.write(f"{own.name}.json", json.dumps({**own.record, "left_out": left_out}, indent=1).encode())
    return left_out


def quarantine(asked: Sequence[Asked], reason: str, out: Storage) -> None:
    """Write down what is not made, and why."""
    for own in asked:
        told = json.dumps({**own.record, "reason": reason}, indent=1)
        out.write(f"{QUARANTINE}/{own.name}.json", told.encode())


def _pixels(picture: Tensor) -> Array:
    pixels: Array = ((picture.cpu().float() + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return pixels


def _digest(path: Path) -> str:
    if not path.is_file():
        raise ConfigError(f"{path}, a condition of the job, is not there")
    return sha256_of(path)


def _named(node: Any, *names: str) -> set[str]:
    """What a tree's nodes have under some names."""
    if isinstance(node, list):
        return set().union(*[_named(own, *names) for own in node])
    if not isinstance(node, dict):
        return set()
    own: set[str] = set()
    for name, value in node.items():
        if name in names and isinstance(value, str | list):
            own |= {value} if isinstance(value, str) else set(value)
    return own.union(*[_named(value, *names) for value in node.values()])
