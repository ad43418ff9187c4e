"""The fields of KubeRay's `ray.io/v1` that are in use, after its Go types: no package brings its schemas.

Pods are Kubernetes' own, and validated by its schema.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Known(BaseModel):
    """Nothing but fields that KubeRay knows, of its own types."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Group(Known):
    """The head, or what all groups of workers have."""

    rayStartParams: dict[str, str]
    template: dict[str, Any]


class Workers(Group):
    """A group of workers."""

    groupName: str
    replicas: int = Field(ge=0)
    minReplicas: int = Field(ge=0)
    maxReplicas: int = Field(ge=1)


class Auth(Known):
    """Since KubeRay 1.5.1."""

    mode: Literal["token", "disabled"]


class Autoscaler(Known):
    """What the operator hands to Ray's autoscaler."""

    idleTimeoutSeconds: int = Field(ge=0)


class ClusterSpec(Known):
    """Of a RayCluster."""

    rayVersion: str
    authOptions: Auth
    enableInTreeAutoscaling: bool
    autoscalerOptions: Autoscaler
    headGroupSpec: Group
    workerGroupSpecs: list[Workers]


class JobSpec(Known):
    """Of a RayJob on a cluster that runs."""

    clusterSelector: dict[str, str]
    entrypoint: str
    backoffLimit: Literal[0]  # a retry would make a new cluster, and a chosen one cannot be
    submissionMode: Literal["K8sJobMode", "HTTPMode", "InteractiveMode"]


class RayCluster(Known):
    """A cluster."""

    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayCluster"]
    metadata: dict[str, str]
    spec: ClusterSpec


class RayJob(Known):
    """A job."""

    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: dict[str, str]
    spec: JobSpec
