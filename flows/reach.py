"""Whether the Ray cluster at an address lets this process in: told within seconds, and Ray itself tries for minutes."""

from __future__ import annotations

import socket
from typing import Any

from sluice.infra.errors import SluiceError

REACH_SECONDS = 10.0


class NoCluster(SluiceError):
    """Nobody answers at the address of a Ray cluster, or lets us in, or none could be started here."""

    exit_code = 1


def refuse_unreachable(address: str) -> None:
    """Raises NoCluster."""
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NoCluster(
            f"no Ray cluster answers at ray_address = {address} ({reason}). It takes the HOST:PORT that `ray start "
            "--head` says on the cluster's first machine; without it, this machine does the work by itself."
        ) from error
    if not address.startswith("ray://"):
        _refuse_where_a_token_is_asked_for(address)


def _refuse_where_a_token_is_asked_for(address: str) -> None:
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc
    from ray.exceptions import AuthenticationError

    messages: Any = gcs_service_pb2
    services: Any = gcs_service_pb2_grpc
    try:
        with init_grpc_channel(address) as channel:
            services.NodeInfoGcsServiceStub(channel).CheckAlive(messages.CheckAliveRequest(), timeout=REACH_SECONDS)
    except AuthenticationError as error:
        raise no_token(error) from error
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:
            raise NoCluster(
                f"what answers at ray_address = {address} is no Ray cluster ({error.code().name.lower()}). Name "
                "the HOST:PORT that `ray start --head` says on the cluster's first machine; others are the "
                "dashboard's and the nodes'."
            ) from error
        raise NoCluster(
            f"the cluster at ray_address = {address} asks for a token, and has another one than this process, or "
            "was told none. Set RAY_AUTH_MODE=token and put the cluster's token, as `ray get-auth-token` says it "
            "there, into ~/.ray/auth_token or the file that RAY_AUTH_TOKEN_PATH names."
        ) from error


def no_token(error: Exception) -> NoCluster:
    """What Ray says of a token of this process that cannot be read."""
    return NoCluster(
        f"{str(error).partition('. ')[0]}. Put the cluster's token there, or unset RAY_AUTH_TOKEN_PATH; a Ray of this "
        "machine's own makes itself one."
    )
