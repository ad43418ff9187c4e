"""What a log and figures for Prometheus tell of a protocol: pictures made, as of compositions, and pictures judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sluice.flows.observe.units import done
from sluice.infra.execution.unit import Unit


def stage(protocol: str, what: str) -> str:
    """What pictures that are `made` or `judged` are counted as."""
    return f"{protocol}-{what}"


@contextmanager
def judging(protocol: str, condition: str, pictures: int) -> Iterator[None]:
    """So many are judged within."""
    kind, began = stage(protocol, "judged"), time.monotonic()
    yield
    done(Unit(f"{kind}/{condition}", kind, None, seconds=time.monotonic() - began), pictures)
