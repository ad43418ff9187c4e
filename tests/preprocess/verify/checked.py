"""A version as it is verified, and its files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sluice.preprocess.planning.build import Build
from sluice.preprocess.verify.problems import Problem
from sluice.preprocess.verify.version import verify
from sluice.preprocess.version.manifest import Version, read_version
from sluice.preprocess.version.reading import StageOutput, shard_outputs
from tests.preprocess.builds import BuiltVersion

Built = Callable[..., BuiltVersion]


def outputs_of(build: Build, version: Version, stage: str) -> list[StageOutput]:
    """A stage's outputs, in the order of shards."""
    return [o for outputs in shard_outputs(build.storage, version) for o in outputs if o.stage == stage]


def on_disk(build: Build, path: str) -> Path:
    return Path(build.storage.uri) / path


def check(build: Build, version: Version) -> list[Problem]:
    return verify(build.storage, read_version(build.storage, version.dataset, version.id), workers=2)
