"""The Ray session of a run: started once, for as long as something runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil

from sluice.flows.reach import NoCluster, no_token, refuse_unreachable
from sluice.infra.interrupts import held, interrupt
from sluice.infra.private import keep_secret

START_SECONDS = 120
"""What a raylet may take to start beside other work; of Ray's own half minute three runs at once have lost."""
RAY_DEFAULTS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_gcs_server_port_wait_time_s": str(START_SECONDS),
}
DIED = (
    "Ray ended as it started on this machine: its raylet died, killed by the system for want of memory maybe. What it "
    "said last is in {0}/session_latest/logs/raylet.err. Run the same command again when there is room."
)
log = logging.getLogger("sluice.session")


@contextmanager
def ray_session(address: str | None, workers: int | None, says: bool = False) -> Iterator[None]:
    """The cluster at `address`, or a local Ray of this machine's cores; one that runs already is used and left.

    What workers say is said here, too, where it `says` so. Raises NoCluster.
    """
    for name, value in RAY_DEFAULTS.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield
        return
    if named := address or os.environ.get("RAY_ADDRESS"):
        refuse_unreachable(named)
    keep_token_private()
    logging.getLogger("ray").setLevel(logging.ERROR)
    over = threading.Event()
    try:
        with held() as asked_to_end:
            _start(address, workers, says)
        if asked_to_end():
            interrupt()
        threading.Thread(target=_tell_of_its_end, args=(over,), daemon=True).start()
        yield
    finally:
        over.set()
        ray.shutdown()  # of a start that was interrupted too, which would crash at the end of the process


def _start(address: str | None, workers: int | None, says: bool) -> None:
    import ray

    local = address is None and "RAY_ADDRESS" not in os.environ
    try:
        with _without_its_own_signals(), _patiently(), _on_loopback() if local else nullcontext():
            ray.init(
                # Without an address Ray would join a cluster that someone else started on this machine.
                address="local" if local else address,
                num_cpus=max(os.cpu_count() or 1, workers or 1) if local else None,
                include_dashboard=False,
                log_to_driver=says,
                logging_level=logging.ERROR,
                configure_logging=False,
            )
    except ray.exceptions.AuthenticationError as error:
        raise no_token(error) from error
    except Exception as error:  # of no kind of its own
        if (why := _told(str(error), address)) is None:
            raise
        raise NoCluster(why) from error


def _told(error: str, address: str | None) -> str | None:
    """What is to be done where Ray says so."""
    if "timed out during startup" in error:
        return (
            "Ray did not start on this machine within two minutes: other work keeps it busy, or its memory is used up. "
            "Run the same command again when there is room; what is done is kept."
        )
    if "Version mismatch" in error:
        told = " ".join(error.partition("Version mismatch:")[2].split())
        return (
            f"the cluster at {address} is of another version, and takes no work from here. {told}. Start it from the "
            "image of infra/docker that goes with this Sluice, or give it Sluice's own constraints.txt."
        )
    if "Could not find any running Ray instance" in error or "Failed to connect to Ray cluster" in error:
        return (
            f"no Ray cluster could be joined at ray_address = {address}. `auto` is the one that runs on this machine, "
            "any other the HOST:PORT that `ray start --head` says; without it, this machine does the work by itself."
        )
    return None


@contextmanager
def _without_its_own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and exits by an exception that its own start swallows where it meets a callback."""
    from ray._private import utils

    before, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda _: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = before


@contextmanager
def _patiently() -> Iterator[None]:
    """Ray asks for its raylet for half a minute, by a constant; each time it asks waits for longer here.

    One that has died is not waited for: raises NoCluster.
    """
    from ray._common import utils
    from ray._private import services

    ask: Any = services.get_node
    folder: Any = utils.get_default_ray_temp_dir
    before = {own.pid for own in _raylets()}

    def wait(address: str, node: str) -> Any:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return ask(address, node)
            except RuntimeError:
                if any(own.pid not in before and own.status() == psutil.STATUS_ZOMBIE for own in _raylets()):
                    raise NoCluster(DIED.format(folder())) from None
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)

    services.get_node = wait
    try:
        yield
    finally:
        services.get_node = ask


@contextmanager
def _on_loopback() -> Iterator[None]:
    """What is started meanwhile listens where nobody else reaches it: else the address of the network is a node's."""
    from ray._private import ray_constants

    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR] = "0"
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before
        del os.environ[ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR]


def _tell_of_its_end(over: threading.Event) -> None:
    """Where the raylet of a Ray of one's own dies before it is over, Ray ends this process soon, without a word."""
    for raylet in _raylets():
        raylet.wait()
        if not over.is_set():
            log.error(
                "the raylet of this run's Ray (process %d) was killed, by the system for want of memory maybe: where "
                "this run ends, the same command goes on from there",
                raylet.pid,
            )


def _raylets() -> Iterator[psutil.Process]:
    for own in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # others of Ray's are soon over
            if own.name() == "raylet":
                yield own


def keep_token_private() -> None:
    """Make the token that a Ray of one's own asks for, readable by nobody else: Ray makes it as the umask has it."""
    if "RAY_AUTH_TOKEN" in os.environ or os.environ.get("RAY_AUTH_MODE", "token").lower() != "token":
        return
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    with suppress(OSError):  # a home that cannot be written, or a file that is another's
        keep_secret(file)
