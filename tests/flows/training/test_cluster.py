"""A training on a Ray of this machine says what is its own, and nothing of Ray's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ray.train import ScalingConfig

from sluice.flows.training.cluster import trainer

SCRIPT = """
import sys, time
from pathlib import Path
from sluice.flows.training.cluster import train_on_ray

def train(console):
    time.sleep(5)  # Ray looks every second
    console.print("trained")

train_on_ray(train, Path(sys.argv[1]), 1, None)
"""


def test_the_pinned_ray_train_asks_for_a_dashboard_and_is_kept_from_it() -> None:
    def asking(own: bool) -> bool:
        made = trainer(own)(print, scaling_config=ScalingConfig(num_workers=1))
        return "PlacementGroupCleanerCallback" in {type(each).__name__ for each in made._create_default_callbacks()}

    assert (asking(own=True), asking(own=False)) == (False, True)


@pytest.mark.slow
def test_nobody_asks_for_the_dashboard_that_a_ray_of_ones_own_has_not(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=500)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "trained" in said
    assert "PlacementGroupCleaner" not in said
