"""Speaking with a cluster's dashboard: what Ray raises becomes what is to be done."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from ssl import SSLError
from typing import TYPE_CHECKING

from sluice.flows.submit.clusters import Cluster
from sluice.infra.errors import SluiceError

if TYPE_CHECKING:
    from ray.job_submission import JobSubmissionClient

TELLS_TOO_MUCH = (
    "ray.dashboard.modules.job.sdk",
    "ray.dashboard.modules.dashboard_sdk",
    "ray._private.runtime_env.packaging",
)
"""Ray's loggers of every upload and every socket that closes."""
ADDRESSES = ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS")
"""Either would be told the token instead."""


class NoSuchCluster(SluiceError):
    """The cluster does not answer, does not let us in, or is of another kind."""

    exit_code = 1


def client_of(cluster: Cluster) -> JobSubmissionClient:
    """The client of its jobs. Raises NoSuchCluster where the cluster is of another Ray."""
    import ray
    from ray.job_submission import JobSubmissionClient

    with without_addresses():
        try:
            client = JobSubmissionClient(cluster.address, headers=cluster.headers())
        except (KeyError, TypeError) as error:  # of JSON that tells no version
            raise NoSuchCluster(_no_dashboard(cluster, "it tells no version")) from error
    for own in TELLS_TOO_MUCH:
        logging.getLogger(own).setLevel(logging.WARNING)
    theirs = client._server_ray_version
    if theirs != ray.__version__:
        raise NoSuchCluster(
            f"{cluster.address} runs Ray {theirs}, and this Sluice is made for {ray.__version__}: start the cluster "
            "from the image of infra/docker that goes with it"
        )
    return client


@contextmanager
def without_addresses() -> Iterator[None]:
    """Hold back the variables that Ray would take for the address that it is given."""
    kept = {name: os.environ.pop(name) for name in ADDRESSES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


@contextmanager
def speaking(cluster: Cluster) -> Iterator[None]:
    """Turn what Ray raises into what is to be done."""
    import aiohttp
    import requests
    from ray.exceptions import AuthenticationError

    try:
        yield
    except (
        ConnectionError,
        requests.exceptions.ConnectionError,
        requests.exceptions.Timeout,
        aiohttp.ClientConnectionError,
    ) as error:
        if unsafe := _without_tls(error):
            raise NoSuchCluster(
                f"what answers at {cluster.address} cannot be spoken with by https ({unsafe.reason or unsafe}): "
                "name http://127.0.0.1:PORT if it is a tunnel to a dashboard, which speaks http; of a certificate of "
                "one's own REQUESTS_CA_BUNDLE names who signed it"
            ) from error
        raise NoSuchCluster(
            f"nobody answers at {cluster.address}: is the cluster up, and its dashboard brought to this port (`ray "
            "dashboard infra/ray/NAME.yaml --port PORT`, or `kubectl port-forward`)?"
        ) from error
    except requests.exceptions.RequestException as error:  # as a page where JSON should be
        raise NoSuchCluster(_no_dashboard(cluster, str(error))) from error
    except (RuntimeError, AuthenticationError, aiohttp.ClientError) as error:
        raise NoSuchCluster(_why(str(error), cluster)) from error


def _without_tls(error: BaseException | None) -> SSLError | None:
    """Why there is no TLS, behind what Ray makes of it."""
    while error is not None and not isinstance(error, SSLError):
        error = error.__context__
    return error


def _why(said: str, cluster: Cluster) -> str:
    if said.startswith("Authentication required"):
        return f"{cluster.address} asks for a token, and the cluster's `token:` is null: name the file of it"
    if said.startswith("Authentication failed"):
        return f"{cluster.address} has another token than {cluster.token}: copy it anew from the cluster's head"
    if said.startswith("Version check returned"):
        return _no_dashboard(cluster, said.partition(".")[0])
    told, _, traceback = said.rstrip(".\n").partition("Traceback (most recent call last):")
    words = [*told.splitlines()[:1], *traceback.splitlines()[-1:]]
    return f"{cluster.address} could not do it: {''.join(words)}"


def _no_dashboard(cluster: Cluster, said: str) -> str:
    return (
        f"who answers at {cluster.address} is no Ray dashboard ({' '.join(said.split())}): give its address and port, "
        "8265 unless `ray start --dashboard-port` said otherwise"
    )
