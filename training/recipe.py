"""A recipe: one training, as a paper's table of hyper-parameters tells it."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Control = Literal["canny", "hed", "depth", "pose", "parts"]
Method = Literal["controlnet", "micontrolnet", "cnc-local", "cnc-global", "cnc-joint"]

Share = Annotated[float, Field(ge=0, lt=1)]
LARGEST = 1e20
"""Of what a step is multiplied with: more, and float32 does not hold it."""


class Recipe(BaseModel):
    """`method` is trained on the frozen model `base`, from `begin` where that names a network, else from the base.

    `checkpoint_steps`: how often it is kept, the last `keep_checkpoints` times; `watch_steps`: how often it is
    validated and shown; `snapshot_steps`: how often the network is saved as it is then, for good.

    `ema` is the decay of a running average of weights, which is then what is validated and saved; `expansion` is the
    global fuser's; without `triplets` both streams of the local fuser see the whole image's own `images`.

    `gradient_checkpointing`: activations are made again on the way back instead of held. `deterministic`: a GPU adds up
    in one order, slower, and the same run has the same bits.

    How long: just one of `epochs`, `samples`, `steps`. `batch` is the effective one, over all processes; `micro_batch`
    what one process sees at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Method
    base: str = "tabletop"
    begin: str | None = None

    control: Control | None = None
    rebalanced: bool = False
    conservativity: float = Field(0.0, ge=0)
    images: Literal["depth", "canny"] = "depth"
    triplets: bool = True
    guidance: Literal["exclude", "hadamard", "none"] = "exclude"
    expansion: int = Field(4, ge=1)

    size: int = Field(64, ge=8)
    epochs: float | None = Field(None, gt=0)
    samples: int | None = Field(None, ge=1)
    steps: int | None = Field(None, ge=1)
    batch: int = Field(ge=1)
    micro_batch: int = Field(ge=1)

    learning_rate: float = Field(gt=0, le=LARGEST)
    warm_up: int = Field(0, ge=0)
    schedule: Literal["constant", "cosine"] = "constant"
    betas: tuple[Share, Share] = (0.9, 0.999)
    weight_decay: float = Field(0.01, ge=0, le=LARGEST)
    clip: float = Field(1.0, gt=0)
    ema: float | None = Field(None, gt=0, lt=1)
    drop_text: float = Field(0.1, ge=0, lt=1)
    drop_conditions: float = Field(0.0, ge=0, lt=1)

    seed: int = Field(0, ge=0, lt=2**63)
    window: int = Field(4, ge=1)
    gradient_checkpointing: bool = False
    deterministic: bool = False
    checkpoint_steps: int = Field(500, ge=1)
    keep_checkpoints: int = Field(3, ge=1)
    watch_steps: int = Field(500, ge=1)
    snapshot_steps: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        lengths = [name for name in ("epochs", "samples", "steps") if getattr(self, name) is not None]
        if len(lengths) != 1:
            given = " and ".join(lengths) if lengths else "none"
            raise ValueError(f"how long is said by just one of epochs, samples and steps; this recipe has {given}")
        if self.batch % self.micro_batch:
            raise ValueError(f"batch ({self.batch}) is to be a multiple of micro_batch ({self.micro_batch})")
        controlled = self.method in {"controlnet", "micontrolnet"}
        if controlled != (self.control is not None):
            raise ValueError(f"{self.method} is trained {'on' if controlled else 'without'} a `control`")
        if self.conservativity and self.method != "micontrolnet":
            raise ValueError("only micontrolnet is trained for conservativity")
        if not self.triplets and self.method not in {"cnc-local", "cnc-joint"}:
            raise ValueError("only cnc-local and cnc-joint are trained without triplets")
        return self

    def total_steps(self, records: int) -> int:
        """Optimizer steps, of a data set of so many records."""
        if self.steps is not None:
            return self.steps
        samples = self.samples if self.samples is not None else (self.epochs or 0) * records
        return max(1, round(samples / self.batch))
