from __future__ import annotations

from pathlib import Path

import pytest

from sluice.flows.configs import find_config
from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError
from sluice.preprocess.planning.config import DatasetConfig, load_config, make_source, make_stages
from sluice.preprocess.planning.resolve import resolve


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    return path


def resolve_all(path: Path, settings: list[str]) -> None:
    config = load_config(path, settings)
    make_source(config)
    make_stages(config)


PLAIN = "source: {kind: folder, uri: photos}\nstages: {image: {size: 256}, canny: {}}\n"


def test_settings_override_the_file(tmp_path: Path) -> None:
    settings = ["stages.canny.low=80", "max_failures=0.5"]
    config = load_config(write(tmp_path, PLAIN), settings, "webdataset:s3://b/p", "o")
    assert config.stages["canny"] == {"low": 80}
    assert config.max_failures == 0.5
    assert config.source == {"kind": "webdataset", "uri": "s3://b/p"}
    assert config.out == "o"


def test_a_plain_source_keeps_the_configured_kind(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, "source: {kind: webdataset, uri: a}\nstages: {image: {}}"), [], "C:/b")
    assert config.source == {"kind": "webdataset", "uri": "C:/b"}


def test_a_source_that_is_no_mapping_gives_way_to_the_commands(tmp_path: Path) -> None:
    (tmp_path / "made.yaml").write_text("name: made\nsource: photos\nstages: {image: {}}\n")
    given = load_config(tmp_path / "made.yaml", [], "other", None)
    assert given.source == {"kind": "folder", "uri": "other"}
    with pytest.raises(ConfigError, match=r"source: input should be a valid dictionary \(it is 'photos'\)"):
        load_config(tmp_path / "made.yaml", [], None, None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["stages.canny.lwo=3"], r"stages.canny: there is no 'lwo'; did you mean 'low'\?"),
        (["stages.cany.low=3"], r"stages.cany: no stage is called 'cany'; did you mean 'canny'\?"),
        (["sahrd_size=3"], r"there is no 'sahrd_size'; did you mean 'shard_size'\?"),
        (["shard_size=0"], "shard_size: input should be greater than or equal to 1"),
        (["stages.canny.low=soft"], "stages.canny: low: input should be a valid number"),
        (["shard_size"], "--set takes NAME=VALUE"),
        (["name.x=1", "name.x.y=2"], "and nothing inside it"),
        (["source.kind=foldr"], r"no source is called 'foldr'; did you mean 'folder'\?"),
        (["name=A B"], "name: string should match pattern"),
        (["name=" + 300 * "a"], "name: string should have at most 100 characters"),
    ],
)
def test_mistakes_are_named_with_the_nearest_name(tmp_path: Path, settings: list[str], message: str) -> None:
    path = write(tmp_path, PLAIN)
    with pytest.raises(SluiceError, match=message):
        resolve_all(path, settings)


def test_a_source_of_the_configured_kind_keeps_its_settings(tmp_path: Path) -> None:
    text = "source: {kind: tabletop, uri: 9, size: 64}\nstages: {image: {}}"
    config = load_config(write(tmp_path, text), [], "tabletop:400")
    assert config.source == {"kind": "tabletop", "uri": "400", "size": 64}
    assert load_config(write(tmp_path, text), [], "folder:400").source == {"kind": "folder", "uri": "400"}


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no configuration file"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_config(write(tmp_path, "a: [1"))
    with pytest.raises(ConfigError, match="must hold a mapping"):
        load_config(write(tmp_path, "- a"))


@pytest.mark.parametrize("name", ["photos", "micontrolnet", "cnc"])
def test_ready_configurations_resolve_where_the_demos_weights_are_and_where_none_are(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(find_config(Path(name)), [])
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path))
    stages = [stage for stage in make_stages(config) if stage.fallback or not stage.weights or stage.optional]
    nodes, left_out = resolve(stages)
    assert {node.name for node in nodes} | {line.split()[0] for line in left_out} == {stage.name for stage in stages}
    assert all("instead" in node.notes[0] for node in nodes if node.stage.fallback)


def test_a_source_with_networks_of_its_own_names_them_where_the_configuration_names_none() -> None:
    def models(kind: str, stages: dict[str, dict[str, str] | None]) -> list[str]:
        source = {"kind": kind, "uri": "4"}
        made = make_stages(DatasetConfig.model_validate({"source": source, "stages": stages}))
        return [stage.parameters.model for stage in made]

    asked = {"depth": None, "pose": {"precision": "fp32"}, "mask": {"model": "grabcut"}, "text": {}}
    assert models("tabletop", asked) == ["tabletop/judges", "tabletop/judges", "grabcut", "tabletop"]
    assert models("folder", asked) == ["dpt-large", "openpose-thin", "grabcut", "sd15"]


@pytest.mark.parametrize("name", ["tabletop", "tabletop-seen"])
def test_the_ready_tabletops_need_no_weights_but_those_that_ship(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path))
    nodes, left_out = resolve(make_stages(load_config(find_config(Path(name)), [])))
    assert left_out == []
    assert {node.name for node in nodes if node.notes} <= {"hed", "background"}


def test_a_pose_networks_detector_counts_towards_the_fingerprint(tmp_path: Path) -> None:
    def mark(detector: str) -> str:
        stages = {"image": {}, "pose": {"model": str(tmp_path / "pose"), "detector": str(tmp_path / detector)}}
        config = DatasetConfig.model_validate({"source": {"kind": "folder", "uri": "x"}, "stages": stages})
        return resolve(make_stages(config))[0][1].weights_digest or ""

    for name in ("pose", "one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(name)
    assert mark("one") != mark("other")
    with pytest.raises(SluiceError, match="none"):
        mark("none")
