"""`sluice dataset` as a user meets it: a readable paragraph for every mistake, 2 for theirs and 1 for failed runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.faults.servers import S3Server
from tests.flows.command_line import Said, Sluice, assert_paragraph
from tests.flows.conftest import THIN, write_pictures

STAGES = {"image": THIN["image"], "brightness": {}}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration file of eight pictures in two shards, in a folder of its own."""
    write_pictures(tmp_path / "in", range(8))
    values = {
        "name": "made",
        "source": {"kind": "folder", "uri": str(tmp_path / "in")},
        "out": str(tmp_path / "out"),
        "stages": STAGES,
        "shard_size": 4,
        "workers": 1,
    }
    (tmp_path / "made.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "made.yaml"


def test_plan_and_build_say_what_comes_and_what_came(sluice: Sluice, ray4: None, config: Path, tmp_path: Path) -> None:  # noqa: ARG001
    planned = sluice("dataset", "plan", "--config", config)
    assert planned.code == 0
    assert "8 images (8 files read now), 8 records in 2 shards, 0 duplicates, 0 unreadable" in planned.out
    assert re.search(r"brightness +8 records, 2 shards +0 shards +new", planned.out), planned.out
    assert not (tmp_path / "out" / "stages").exists()

    built = sluice("dataset", "build", "--config", config)
    assert built.code == 0, built
    assert re.search(r"made \w{12}: 8 records from 8 images \(0 duplicates, 0 quarantined, 0 filtered\)", built.out)
    folder = Path(built.out.splitlines()[-1])
    assert sorted(tar.name for tar in folder.glob("*.tar")) == ["made-00000.tar", "made-00001.tar"]
    assert "Nothing to run." in sluice("dataset", "plan", "--config", config).out

    (tmp_path / "in" / "00000.jpg").unlink()
    kept = sluice("dataset", "plan", "--config", config, "--limit", "1").out
    assert "1 gone from the source (kept until --prune); the first shard only" in kept


def test_a_plan_fits_a_narrow_terminal_and_counts_one_as_one(config: Path) -> None:
    stages = "{image: {}, mask: {model: grabcut}, background: {model: navier-stokes}}"
    words = ["dataset", "plan", "--config", str(config), "--set", "shard_size=8", "--set", f"stages={stages}"]
    command = [sys.executable, "-c", "from sluice.flows.cli import main; main()", *words]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "80"}, check=True)
    table = re.findall(r"^(?:stage|mask|background) .*", ran.stdout, re.MULTILINE)
    assert len(table) == 3
    assert max(map(len, table)) <= 80
    assert "navier-stokes" in table[2]
    assert "…" not in ran.stdout
    assert "8 records in 1 shard, 0 duplicates" in ran.stdout
    assert "1 shards" not in ran.stdout
    assert "(rough)" in ran.stdout
    assert "Rough times are those of a laptop's core" in ran.stdout


def test_brackets_in_a_path_are_no_markup(sluice: Sluice, config: Path, tmp_path: Path) -> None:
    said = sluice("dataset", "show", "--config", config, "--out", tmp_path / "[red]o", "--version", "run")
    assert Path(said.out.strip()).is_file()


MISTAKES = {
    "no configuration": (["--config", "none.yaml"], r"there is no configuration file none\.yaml"),
    "a folder as configuration": (["--config", "."], r"\. is a folder: name the configuration file in it"),
    "not YAML": (["--config", "broken.yaml"], r"broken\.yaml is not YAML"),
    "a setting's name": (["--set", "shard_sise=3"], "there is no 'shard_sise'; did you mean 'shard_size'"),
    "a setting's value": (["--set", "shard_size=0"], r"shard_size: input should be greater than or equal to 1"),
    "a setting without value": (["--set", "shard_size"], "--set takes NAME=VALUE"),
    "a stage": (["--set", "stages.cany={}"], "no stage is called 'cany'; did you mean 'canny'"),
    "a stage's knob": (["--set", "stages.image.sise=3"], "there is no 'sise'; did you mean 'size'"),
    "a source's kind": (["--set", "source.kind=folders"], "no source is called 'folders'; did you mean 'folder'"),
    "a source's setting": (["--set", "source.url=x"], "there is no 'url'; did you mean 'uri'"),
    "a missing folder": (["--source", "nowhere"], r"The folder source /.*/nowhere does not exist"),
    "an empty folder": (["--source", "empty"], r"there is no image in it .*Is the path right\?"),
    "a file as source": (["--source", "file"], "is a file where a folder is expected"),
    "a place nobody knows": (["--source", "gs://bucket/in"], "not a place Sluice can read"),
    "an out below a file": (["--out", "file/out"], r"file/out.* could not be written: Not a directory"),
    "a typo in a source's kind": (["--source", "webdatset:in"], "no source .*'webdatset'; did you mean 'webdataset'"),
    "half a source's kind": (["--source", "coco:in"], "no source is called 'coco'; .*coco_stuff"),
    "no CPUs": (["--set", "stages.image.cpus=0"], "stages.image: cpus: input should be greater than or equal to 1"),
    "less than no GPU": (["--set", "stages.image.gpus=-1"], "gpus: input should be greater than or equal to 0"),
    "one and a half GPUs": (["--set", "stages.image.gpus=1.5"], "gpus: .*a part of one GPU, or several whole ones"),
    "an empty batch": (["--set", "stages={hed: {batch_size: 0}}"], "batch_size: .* or equal to 1"),
    "a side below nothing": (["--set", "stages.image.min_side=-3"], "min_side: .* or equal to 0"),
    "no pixels": (["--set", "stages.image.max_pixels=0"], "max_pixels: input should be greater than or equal to 1"),
    "an out nobody may write": (["--out", "/proc/sluice"], r"/proc/sluice.* could not be written"),
    "a field without a stage": (["--set", "stages={canny: {}}"], "jpg"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_users_mistakes_are_explained(
    sluice: Sluice, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "broken.yaml").write_text("stages: [")
    words, explanation = MISTAKES[mistake]
    said = sluice("dataset", "build", *(["--config", config] if "--config" not in words else []), *words)
    assert_paragraph(said, 2, explanation)


@pytest.mark.parametrize("command", [["verify"], ["export", "--to", "elsewhere"], ["diff", "latest", "latest"]])
def test_a_version_that_is_not_there(sluice: Sluice, config: Path, command: list[str]) -> None:
    said = sluice("dataset", *command, "--config", config)
    assert_paragraph(said, 2, "has no version 'latest'; it has none yet: run `sluice dataset build`")


def test_places_on_s3_that_are_not_there(
    sluice: Sluice, config: Path, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    for words in (["--source", "s3://no-such-bucket/in"], ["--out", "s3://no-such-bucket/out"]):
        said = sluice("dataset", "build", "--config", config, *words)
        assert_paragraph(said, 2, "there is no bucket 'no-such-bucket' at http://127.0.0.1")
    empty = f"s3://{moto_server.new_bucket()}/in"
    assert_paragraph(sluice("dataset", "build", "--config", config, "--source", empty), 2, "there is no image in it")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    for option in ("--out", "--source"):
        said = sluice("dataset", "build", "--config", config, option, empty)
        assert_paragraph(said, 1, r"http://127\.0\.0\.1:9 cannot be reached")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    said = sluice("dataset", "build", "--config", config, "--out", empty)
    assert_paragraph(said, 2, "no complete credentials were found. Set AWS_ACCESS_KEY_ID")


def test_too_many_failures_are_a_failed_run(sluice: Sluice, ray4: None, config: Path, tmp_path: Path) -> None:  # noqa: ARG001
    for number in range(3):
        (tmp_path / "in" / f"{number:05}.jpg").write_bytes(b"nothing %d" % number)
    said = sluice("dataset", "build", "--config", config)
    counted = r"[23] images failed, and max_failures allows 1\. By their causes:\n"
    assert_paragraph(said, 1, counted + r"  0000\d\.jpg and [12] more \(image\): no read")
    assert "What is done is kept" in said.error
    said = sluice("dataset", "build", "--config", config, "--set", "max_failures=0.5")
    assert (said.code, "5 records from 8 images (0 duplicates, 3 quarantined" in said.out) == (0, True)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "127.0.0.1:9",
            r"no Ray cluster answers at ray_address = 127.0.0.1:9 \(.*Connection refused.*`ray start --head`",
        ),
        ("no.such.host.invalid:1", r"no Ray cluster answers at ray_address = no.such.host.invalid:1 \("),
        ("head", "ray_address = head is no address of a Ray cluster: give the HOST:PORT that `ray start --head` says"),
    ],
)
def test_a_cluster_that_does_not_answer_is_said_at_once(config: Path, address: str, told: str) -> None:
    """In a process of its own: this one's Ray would be taken."""
    command = [sys.executable, "-c", "from sluice.flows.cli import main; main()", "dataset", "build"]
    words = ["--config", str(config), "--set", f"ray_address={address}"]
    ran = subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)
    said = Said(ran.returncode, ran.stdout, ran.stderr)
    assert_paragraph(said, 1, told)


def test_a_full_disk_is_a_failed_run(sluice: Sluice, ray4: None, config: Path) -> None:  # noqa: ARG001
    """In a worker as in the driver; a limit on the size of files stands for a disk that is full."""
    said = sluice("dataset", "build", "--config", config, "--set", "stages.cramped.kilobytes=4")
    assert_paragraph(
        said, 1, r"cramped/\w+ failed: .*scratch folder .* could not be written: File too large.*it resumes"
    )
    limited = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1, 1)); from sluice.flows.cli import main; main()"
    words = ["dataset", "plan", "--config", str(config), "--set", "out=" + str(config.parent / "elsewhere")]
    ran = subprocess.run([sys.executable, "-c", limited, *words], capture_output=True, text=True)
    assert_paragraph(Said(ran.returncode, ran.stdout, ran.stderr), 1, "larger than this process or file system allows")
    assert not [file for _, _, files in os.walk(config.parent / "elsewhere") for file in files]
