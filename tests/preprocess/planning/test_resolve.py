from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluice.infra.weights.models import MissingWeights
from sluice.preprocess.graph import Stage
from sluice.preprocess.planning.config import DatasetConfig, make_stages
from sluice.preprocess.planning.resolve import cannot_run, resolve


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_MODELS", str(tmp_path / "none"))


def stages(**named: dict[str, Any]) -> list[Stage[Any]]:
    values = {"source": {"kind": "folder", "uri": "x"}, "stages": {"image": {}, **named}}
    return make_stages(DatasetConfig.model_validate(values))


def test_all_that_is_missing_is_said_at_once_with_one_command() -> None:
    with pytest.raises(MissingWeights) as caught:
        resolve(stages(safety={}, pose={"model": "vitpose-base"}, hed={}, mask={}))
    said = str(caught.value)
    assert "stages.safety needs 'open-nsfw', stages.pose needs 'vitpose-base' and 'rt-detr'" in said
    assert "`sluice models pull open-nsfw vitpose-base rt-detr`" in said
    assert said.endswith("these stages can do without: hed, u2net-small.")


def test_what_can_do_without_is_announced_with_the_command_that_mends_it() -> None:
    nodes, left_out = resolve(stages(hed={}, clip={}))
    assert [node.name for node in nodes] == ["image", "hed"]
    assert nodes[1].notes[0] == "'hed' is not here (`sluice models pull hed`): gradient instead"
    assert left_out == ["clip is left out: 'clip-vit-l14' is not here (`sluice models pull clip-vit-l14`)"]


def test_which_stages_cannot_run() -> None:
    found = {stage.name: cannot_run(stage) for stage in stages(safety={}, hed={}, clip={}, canny={})}
    assert found == {"image": False, "safety": True, "hed": False, "clip": False, "canny": False}
