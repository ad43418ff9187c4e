"""The Ray session of a run: started once, for as long as something runs."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

RAY_DEFAULTS = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "RAY_USAGE_STATS_ENABLED": "0"}


@contextmanager
def ray_session(address: str | None, workers: int | None) -> Iterator[None]:
    """The cluster at `address`, or a local Ray of this machine's cores; one that runs already is used and left."""
    for name, value in RAY_DEFAULTS.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    cores = max(os.cpu_count() or 1, workers or 1)
    local = address is None and "RAY_ADDRESS" not in os.environ
    ending = signal.getsignal(signal.SIGTERM)
    ray.init(
        # Without an address Ray would join a cluster that someone else started on this machine.
        address="local" if local else address,
        num_cpus=cores if local else None,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        configure_logging=False,
    )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, ending)  # Ray's own handler exits at once, without a word
    try:
        yield
    finally:
        ray.shutdown()
