"""The work of a compose job in which one seed takes its worker with it, as a picture does that takes all memory."""

from __future__ import annotations

import os
import signal

from sluice.flows.compose.run.batches import Batch
from sluice.flows.compose.run.making import Made, Maker
from sluice.flows.compose.run.work import ComposeWork

SEED = 1


class DeadlyWork(ComposeWork):
    def make(self, maker: Maker, batch: Batch) -> list[Made]:
        if any(own.seed == SEED for own in batch.asked):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().make(maker, batch)
