"""Clusters by name: where their Jobs API is, which token it asks for, and what their machines see."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sluice.infra.logins import LOGIN
from sluice.infra.loopback import is_loopback
from sluice.infra.private import read_private
from sluice.infra.settings import ConfigError, nearest, parse, read_settings

READY = Path(__file__).parents[2] / "infra" / "clusters.yaml"
OWN = "~/.config/sluice/clusters.yaml"


class Cluster(BaseModel):
    """A Ray cluster: `address` of its dashboard, the file of its `token`, and folders that all its machines see."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str
    token: str | None = "~/.ray/auth_token"
    shared: tuple[str, ...] = Field(default=())

    @model_validator(mode="after")
    def _tells_no_token_to_others(self) -> Self:
        if LOGIN.search(f"http://{self.address.rpartition('://')[2]}"):
            raise ValueError(
                "address has a login in it, which would be said with every error: take it out; a cluster asks for its "
                "`token:`"
            )
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"address must be such as http://127.0.0.1:8265; it is '{self.address}'")
        if parts.scheme == "http" and not is_loopback(parts.hostname):
            raise ValueError(
                f"{self.address} would carry the token in the clear: bring the port to this machine (`ray dashboard`, "
                "`ssh -L`, `kubectl port-forward`) and name http://127.0.0.1:8265, or use https"
            )
        return self

    def sees(self, place: str) -> bool:
        """Whether all its machines find something at a URI or path."""
        if re.match(r"\w+://", place):
            return True
        path = PurePosixPath(place)
        return path.is_absolute() and ".." not in path.parts and any(path.is_relative_to(own) for own in self.shared)

    def headers(self) -> dict[str, str]:
        """What a request carries. Raises ConfigError for a token that is not here, or that others may read."""
        if self.token is None:
            return {"Authorization": ""}  # Ray's client would fill in this machine's own token
        remedy = "copy it with mode 0600 from where `ray get-auth-token --generate` made it, or from KubeRay's secret"
        token = read_private(self.token, "the cluster's token", remedy)
        return {"Authorization": f"Bearer {token}"}


def find_cluster(name: str) -> Cluster:
    """A cluster of one's own list, or a ready one. Raises ConfigError."""
    own = Path(os.environ.get("SLUICE_CLUSTERS") or OWN).expanduser()
    files = [READY, own] if own.exists() or "SLUICE_CLUSTERS" in os.environ else [READY]
    listed = {known: (file, values) for file in files for known, values in read_settings(file, "`a800:`").items()}
    if name not in listed:
        raise ConfigError(f"--cluster {name}: {files[-1]} has no such cluster; {nearest(name, listed)}")
    file, values = listed[name]
    return parse(Cluster, values, f"{file}: {name}")
