"""Whether the Ray cluster at an address lets this process in: told within seconds, and Ray itself tries for minutes."""

from __future__ import annotations

import re
import socket
from typing import Any

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins

REACH_SECONDS = 10.0
CLIENT = "ray://"
ADDRESS = re.compile(r"auto|local|(ray://)?(\[[0-9A-Fa-f:]+\]|[^\s:/@\[\]]+):\d{1,5}")


class NoCluster(SluiceError):
    """Nobody answers at the address of a Ray cluster, or lets us in, or none could be started here."""

    exit_code = 1


def refuse_malformed(address: str) -> None:
    """Raises NoCluster for what is no address of a cluster, wherever that may be."""
    if ADDRESS.fullmatch(address) is None:
        raise NoCluster(
            f"ray_address = {without_logins(address)} is no address of a Ray cluster: give the HOST:PORT that `ray "
            "start --head` says on the cluster's first machine, `auto` for the one that runs on this machine, or "
            "ray://HOST:PORT"
        )


def refuse_unreachable(address: str) -> None:
    """Raises NoCluster."""
    refuse_malformed(address)
    if address in ("auto", "local"):
        return
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_SECONDS).close()
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise NoCluster(
            f"no Ray cluster answers at ray_address = {address} ({reason}). It takes the HOST:PORT that `ray start "
            "--head` says on the cluster's first machine; without it, this machine does the work by itself."
        ) from error
    _refuse_where_a_token_is_asked_for(address)


def _refuse_where_a_token_is_asked_for(address: str) -> None:
    import grpc
    from ray._private.grpc_utils import init_grpc_channel
    from ray.exceptions import AuthenticationError

    try:
        with init_grpc_channel(address.removeprefix(CLIENT)) as channel:
            (_ask_for_clients if address.startswith(CLIENT) else _ask_head)(channel)
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


def _ask_head(channel: Any) -> None:
    from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc

    messages: Any = gcs_service_pb2
    services: Any = gcs_service_pb2_grpc
    services.NodeInfoGcsServiceStub(channel).CheckAlive(messages.CheckAliveRequest(), timeout=REACH_SECONDS)


def _ask_for_clients(channel: Any) -> None:
    """The server that lets processes of no node in."""
    from ray.core.generated import ray_client_pb2, ray_client_pb2_grpc

    messages: Any = ray_client_pb2
    services: Any = ray_client_pb2_grpc
    asked, who = messages.ClusterInfoRequest(type=messages.ClusterInfoType.PING), [("client_id", "sluice")]
    services.RayletDriverStub(channel).ClusterInfo(asked, timeout=REACH_SECONDS, metadata=who)


def no_token(error: Exception) -> NoCluster:
    """What Ray says of a token of this process that cannot be read."""
    return NoCluster(
        f"{str(error).partition('. ')[0]}. Put the cluster's token there, or unset RAY_AUTH_TOKEN_PATH; a Ray of this "
        "machine's own makes itself one."
    )
