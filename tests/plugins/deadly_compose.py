"""The work of a compose job in which one seed takes its worker with it, as a picture does that takes all memory."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from sluice.flows.compose.composer import Composer
from sluice.flows.compose.flow import ComposeWork
from sluice.flows.compose.pictures import Asked

SEED = 1


class DeadlyWork(ComposeWork):
    def make(self, composer: Composer, asked: Sequence[Asked]) -> dict[str, list[int]]:
        if any(own.seed == SEED for own in asked):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().make(composer, asked)
