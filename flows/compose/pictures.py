"""A job's pictures as files, each with everything that is needed to make it again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from torch import Tensor

from sluice.flows.compose.composer import Composer
from sluice.flows.compose.job import Job
from sluice.infra.digests import sha256_of
from sluice.infra.errors import SluiceError
from sluice.infra.models import find
from sluice.infra.settings import ConfigError
from sluice.infra.whole import write_whole
from sluice.preprocess.record import Array, encode_png

IMAGES = ("image", "region", "speaks", "mask", "depths", "exemplars")


class ChangedSince(SluiceError):
    """What a picture was made of is not what it was."""


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


def compose(job: Job, folder: Path, out: Path, console: Console) -> list[Path]:
    """Make the pictures of a job, with conditions in `folder`, that `out` lacks; all of them are returned."""
    asked = list(pictures_of(job, folder))
    left = [own for own in asked if not (out / f"{own.name}.json").exists()]
    if left:
        composer = Composer(job, folder)
        for told in composer.cut(job.prompts):
            console.print(f"this prompt is longer than its model reads, and was cut: {told}", style="yellow")
        for start in range(0, len(left), job.batch):
            _make(composer, left[start : start + job.batch], out, console)
            console.print(f"{min(start + job.batch, len(left))} of {len(left)} pictures")
    return [out / f"{own.name}.png" for own in asked]


def again(picture: Path, out: Path, console: Console) -> Path:
    """Make a picture once more from the record beside it. Raises ConfigError, ChangedSince."""
    file = picture.with_suffix(".json")
    if not file.is_file():
        raise ConfigError(f"{picture} has no {file.name} beside it, which says how it was made")
    record = json.loads(file.read_text())
    job = Job.model_validate(record["job"])
    (asked,) = pictures_of(job, Path(record["folder"]))
    changed = [name for name, digest in record["made_of"].items() if asked.record["made_of"].get(name) != digest]
    if changed:
        raise ChangedSince(f"{picture} was made of other files than are there now: {', '.join(changed)}")
    (made,) = compose(job, Path(record["folder"]), out, console)
    return made


def pictures_of(job: Job, folder: Path) -> Iterator[Asked]:
    """Every prompt with every seed."""
    plain = job.model_dump(mode="json")
    made_of = {name: find(name).digest for name in sorted(_named(plain, "model", "network", "by", "fusers"))}
    made_of |= {name: _digest(folder / name) for name in sorted(_named(plain, *IMAGES))}
    version = importlib.metadata.version("sluice-diffusion")
    for prompt in job.prompts:
        for seed in job.seeds:
            own = {**plain, "prompts": [prompt], "seeds": [seed]}
            yield Asked(
                prompt, seed, {"job": own, "folder": str(folder.absolute()), "made_of": made_of, "sluice": version}
            )


def _make(composer: Composer, asked: Sequence[Asked], out: Path, console: Console) -> None:
    """A batch of always the same shape, so that the same picture has the same bytes in any."""
    filled = [*asked, *[asked[-1]] * (composer.job.batch - len(asked))]
    pictures = composer([own.prompt for own in filled], [own.seed for own in filled])
    left_out = {f"energies.{number}": steps for number, steps in composer.left_out.items() if steps}
    if left_out:
        console.print(f"left out where they had no finite gradient, in this batch: {left_out}", style="yellow")
    for own, picture in zip(asked, pictures, strict=False):
        write_whole(out / f"{own.name}.png", encode_png(_pixels(picture)))
        write_whole(out / f"{own.name}.json", json.dumps({**own.record, "left_out": left_out}, indent=1) + "\n")


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
