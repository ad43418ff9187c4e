"""DeepSpeed's settings from a file, as far as they are no recipe's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from sluice.infra.settings import ConfigError, parse, read_settings

THE_RECIPES = {
    "train_batch_size": "`batch`",
    "train_micro_batch_size_per_gpu": "`micro_batch`",
    "gradient_accumulation_steps": "`batch` and `micro_batch`",
    "gradient_clipping": "`clip`",
    "optimizer": "`learning_rate`, `betas` and `weight_decay`",
    "scheduler": "`schedule` and `warm_up`",
}
"""What DeepSpeed would take, and what of a recipe says it here."""
Half = Literal["fp32", "fp16", "bf16"]


class Precision(BaseModel):
    """What is trained in, if it is `enabled`; DeepSpeed knows the rest."""

    model_config = ConfigDict(frozen=True, extra="allow")

    enabled: StrictBool = False


class EngineSettings(BaseModel):
    """DeepSpeed's own names, of which it passes over those that it does not know; it checks what lies in mappings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    zero_optimization: dict[str, Any] = {}
    bf16: Precision = Precision()
    fp16: Precision = Precision()
    data_types: dict[str, Any] = {}
    communication_data_type: Half | None = None
    gradient_allreduce_op: Literal["mean", "sum"] = "mean"
    gradient_predivide_factor: float = Field(1.0, gt=0, allow_inf_nan=False)
    prescale_gradients: bool = False
    disable_allgather: bool = False
    aio: dict[str, Any] = {}
    compile: dict[str, Any] = {}
    comms_logger: dict[str, Any] = {}
    flops_profiler: dict[str, Any] = {}
    timers: dict[str, Any] = {}
    tensorboard: dict[str, Any] = {}
    csv_monitor: dict[str, Any] = {}
    dump_state: bool = False
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    memory_breakdown: bool = False
    steps_per_print: int | None = None
    wall_clock_breakdown: bool = False


def read_engine(file: Path) -> dict[str, Any]:
    """What a file says of it. Raises ConfigError where that is no setting, or is for the recipe to say."""
    values = read_settings(file, "`zero_optimization:`")
    theirs = [f"{file}: {name} is the recipe's to say, by {by}" for name, by in THE_RECIPES.items() if name in values]
    if theirs:
        raise ConfigError("\n".join(f"{line}: leave it out here" for line in theirs))
    return parse(EngineSettings, values, str(file)).model_dump(exclude_unset=True)
