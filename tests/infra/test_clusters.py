"""Descriptions of clusters, each by the parser of the tool that reads it, and beside what the project pins."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from pydantic import ValidationError
from ray._private.ray_constants import ENABLE_RAY_CLUSTERS_ENV_VAR
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr
from ray.autoscaler._private.util import prepare_config, validate_config
from typer.testing import CliRunner

from sluice.flows.cli import app
from sluice.infra.execution.placement import memory_of
from tests.infra.kuberay import RayCluster, RayJob

INFRA = Path(__file__).parents[2] / "infra"
PINNED = dict(line.split("==") for line in (INFRA.parent / "constraints.txt").read_text().split())
KINDS = ("a800", "v100")
KUBERNETES = "1.31"


def read(name: str) -> Any:
    return yaml.safe_load((INFRA / name).read_text())


@pytest.mark.parametrize("name", ["laptop", *KINDS])
def test_rays_launcher_takes_it(name: str) -> None:
    config = prepare_config(read(f"ray/{name}.yaml"))
    validate_config(config)
    starts = [command for command in config["head_start_ray_commands"] if "ray start" in command]
    assert starts
    workers = [command for command in config["worker_start_ray_commands"] if "ray start" in command]
    for command in [*starts, *(workers if config["max_workers"] else [])]:
        assert command.startswith("RAY_AUTH_MODE=token ")
    assert ("--dashboard-host=127.0.0.1" in starts[0]) == (name == "laptop")
    assert (f"{ENABLE_RAY_CLUSTERS_ENV_VAR}=0 " in starts[0]) == (name == "laptop"), "its ports are on loopback alone"
    assert "$" not in config["auth"]["ssh_user"]  # the launcher hands it to ssh as it is


@pytest.mark.parametrize("name", KINDS)
def test_what_a_cluster_calls_shared_is_one_file_system_on_all_its_machines(name: str) -> None:
    assert read("clusters.yaml")[name]["shared"] == ["/weights"]
    launched = read(f"ray/{name}.yaml")
    mounts = [option for option in launched["docker"]["run_options"] if option.endswith(":/weights")]
    assert mounts == ["--volume=/mnt/weights:/weights"]
    assert any("mountpoint /mnt/weights" in command for command in launched["initialization_commands"])
    claim = read("kuberay/storage.yaml")
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    spec = read(f"kuberay/{name}.yaml")["spec"]
    for group in (group["template"]["spec"] for group in [spec["headGroupSpec"], *spec["workerGroupSpecs"]]):
        mounted = {mount["mountPath"]: mount["name"] for mount in group["containers"][0]["volumeMounts"]}
        (volume,) = (volume for volume in group["volumes"] if volume["name"] == mounted["/weights"])
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


@pytest.mark.parametrize("name", KINDS)
def test_kuberay_knows_every_field(name: str) -> None:
    RayCluster.model_validate(read(f"kuberay/{name}.yaml"))
    RayJob.model_validate(read(f"kuberay/{name}-job.yaml"))
    mistyped = read(f"kuberay/{name}.yaml")
    mistyped["spec"]["workerGroupSpecs"][0]["maxReplica"] = mistyped["spec"]["workerGroupSpecs"][0].pop("maxReplicas")
    with pytest.raises(ValidationError, match="maxReplica"):
        RayCluster.model_validate(mistyped)


@pytest.mark.parametrize(("name", "memory"), [("a800", 80), ("v100", 32)])
def test_rays_autoscaler_grows_a_cluster_of_kuberay_by_what_its_cards_have(name: str, memory: int) -> None:
    cluster = read(f"kuberay/{name}.yaml")
    metadata = {**cluster["metadata"], "namespace": "default"}
    kinds = _derive_autoscaling_config_from_ray_cr({**cluster, "metadata": metadata})["available_node_types"]
    assert {kind: known["min_workers"] for kind, known in kinds.items()} == {"headgroup": 0, "decode": 1, name: 1}
    resources = kinds[name]["resources"]
    assert memory_of({**resources, f"accelerator_type:{name.upper()}": 1}) == memory
    training = cluster["spec"]["workerGroupSpecs"][1]
    assert training["template"]["spec"]["nodeSelector"]["nvidia.com/gpu.product"].endswith(f"{memory}GB")
    for word in shlex.split(training["rayStartParams"].get("resources", "")):  # as the pod's shell reads it
        assert json.loads(word).items() <= resources.items()


@pytest.mark.parametrize("name", KINDS)
def test_kubernetes_takes_the_pods_of_a_cluster(name: str) -> None:
    cluster = read(f"kuberay/{name}.yaml")
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    assert spec["rayVersion"] == PINNED["ray"]
    assert spec["authOptions"] == {"mode": "token"}
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    for group in groups:
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]}
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)
        assert group["template"]["spec"]["securityContext"]["runAsNonRoot"]
    assert spec["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0", "num-gpus": "0"}
    decoding, training = spec["workerGroupSpecs"]
    assert "nvidia.com/gpu" not in str(decoding)
    assert training["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "8"


def test_a_pod_that_kubernetes_does_not_know_is_refused() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": {"container": []}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_kubernetes_takes_the_storage() -> None:
    kubernetes_validate.validate(read("kuberay/storage.yaml"), KUBERNETES, strict=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_job_goes_to_its_cluster_with_a_command_that_there_is(name: str) -> None:
    job, cluster = read(f"kuberay/{name}-job.yaml"), read(f"kuberay/{name}.yaml")
    assert job["spec"]["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    program, *words = shlex.split(job["spec"]["entrypoint"])
    assert program == "sluice"
    asked = [word.replace("/opt/sluice/infra", str(INFRA)) for word in words]
    done = CliRunner().invoke(app, [*asked, "--set", "batch=0"])
    assert "batch" in str(done.exception)  # every option and file before it was taken


def test_the_image_is_as_its_linter_wants_it() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([linter, INFRA / "docker/Dockerfile"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    lines = (INFRA / "docker/Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER")] == ["USER 1000"]
    assert len({line.split()[1] for line in lines if line.startswith("FROM")}) == 1
