"""The running average of an engine's weights, in float32 (diffusers' EMAModel): what is validated and saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from diffusers.training_utils import EMAModel
from torch import nn


class Average:
    """Of a network's weights as they are before an engine has it, which may keep them in half precision."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.of: Any = EMAModel(network.parameters(), decay=decay)

    def update(self, engine: Any) -> None:
        """After a step."""
        self.of.to(engine.device)
        self.of.step(engine.module.parameters())

    @contextmanager
    def shown(self, engine: Any) -> Iterator[None]:
        """The engine's network with the average's weights, for as long as it is looked at."""
        self.of.store(engine.module.parameters())
        self.of.copy_to(engine.module.parameters())
        try:
            yield
        finally:
            self.of.restore(engine.module.parameters())

    def state(self) -> dict[str, Any]:
        """Whole and on the CPU, for any number of processes: they all have the same."""
        state: dict[str, Any] = self.of.state_dict()
        return state | {"shadow_params": [weights.cpu().clone() for weights in state["shadow_params"]]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.of.load_state_dict(dict(state))

    def fill(self, network: nn.Module) -> None:
        """Give a network the average's weights."""
        self.of.copy_to(network.parameters())
