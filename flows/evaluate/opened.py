"""What `--data` names."""

from __future__ import annotations

from pathlib import Path

from sluice.flows.evaluate.coco_mig import CocoMig
from sluice.flows.evaluate.recorded import HeldOut
from sluice.flows.evaluate.records import Records
from sluice.infra.settings import ConfigError


def opened(data: str, base: str) -> Records | CocoMig:
    """COCO-MIG's file, or a data set. Raises ConfigError for what is neither."""
    if data.endswith(".json") and not Path(data).is_file():
        raise ConfigError(f"--data {data}: there is no such file; name COCO-MIG's own, or OUT/datasets/NAME")
    return CocoMig(Path(data), base) if data.endswith(".json") else Records(HeldOut(data))
