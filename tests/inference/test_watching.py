"""That what is watched is what it was, to the bit, and that what is noted is what passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor

from sluice.inference.combiners.freedom import Condition, constant, freedom_step
from sluice.inference.combiners.minimal_impact import minimal_impact
from sluice.inference.combiners.multi_controlnet import multi_controlnet
from sluice.inference.combiners.zmagic import Dependence, zmagic_step
from sluice.inference.controlled import Controlled, Ground, decoded, encoder
from sluice.inference.denoisers import guided, halves
from sluice.inference.sampler import Moment, clean_estimate, ddim_step, moments, no_noise, sample
from sluice.inference.watching import (
    Watch,
    watched_condition,
    watched_denoiser,
    watched_model,
    watched_pairs,
    watched_step,
)
from sluice.inference.watching_controls import ALL, FUSER, Balanced, summed, watched_controls, watched_fusers
from sluice.training.balance import min_norm
from sluice.training.networks.latent_model import LatentModel
from sluice.training.networks.minimal_impact import balance
from sluice.training.networks.unet import Encoded
from tests.inference.controls import SCALE, controlnet, given
from tests.small_unet import small_model

STEPS = 3
NOTHING = torch.zeros(1)
BATCH = 2
IMAGE = torch.zeros(BATCH, 1, 1, 1)
Combine = Callable[[Ground, Sequence[Controlled]], Ground]


@pytest.fixture(scope="module")
def model() -> LatentModel:
    return small_model()


@pytest.fixture(scope="module")
def controls(model: LatentModel) -> list[Controlled]:
    image = given()[3]
    return [Controlled(controlnet(model, seed), own) for seed, own in ((1, image), (2, image.flip(2)))]


@pytest.fixture(scope="module")
def path() -> list[Moment]:
    return moments(DDIMScheduler(), STEPS)


def layer(x: Tensor, *vector: float) -> Tensor:
    """A feature for each of a batch, and before them ones for the null condition's half, which is not what is noted."""
    null = torch.ones(len(x) - BATCH, len(vector))
    return torch.cat([null, torch.tensor([vector]).expand(BATCH, -1)])


def feature(x: Tensor, _: float) -> Encoded:
    return Encoded((layer(x, 0.0, 0.0, 4.8),), NOTHING, NOTHING)


def says(*vector: float, strength: float = 1.0) -> Controlled:
    """A control of one layer, its middle."""
    return Controlled(lambda x, *_, **__: ((), layer(x, *vector)), IMAGE, strength)


def noted(path: Sequence[Moment], make: Callable[[Watch], Ground], halves: int = 2) -> dict[tuple[str, str], float]:
    """Of one step, by what and whom, its one layer; of both halves of guidance, or of models that are united one."""
    watch = Watch(1)
    ground = make(watch)
    watch.begin(path[0])
    ground(torch.zeros(halves * BATCH, 1, 1, 1), 10)
    return {name: float(by_time[path[0].t][0]) for name, by_time in watch.notes.of.items()}


@pytest.mark.parametrize(("strength", "halves"), [(1.0, 2), (0.5, 2), (0.0, 2), (0.5, 1)])
def test_a_control_of_half_the_length_is_added_four_times(strength: float, halves: int, path: list[Moment]) -> None:
    def impact(below: Ground, heard: Sequence[Controlled]) -> Ground:
        return minimal_impact(below, NOTHING, heard)

    controls = [says(0.0, 2.4, 0.0, strength=strength)]
    found = noted(path, lambda watch: watched_controls(impact, feature, controls, ["c"], balance, watch), halves)
    # At right angles l = 1 / (1 + r^2), and the gain l / (1 - l) = 1 / r^2 at r = 1 / 2 (MIControlNet, Eq. 10).
    share = pytest.approx(2 * strength)
    assert found == {
        ("gain", ALL): pytest.approx(4),
        ("weight", "c"): 1,
        ("share", "c"): share,
        ("share", ALL): share,
    }


by_min_norm = partial(balance, rule=min_norm)


@pytest.mark.parametrize(
    ("combine", "balanced", "weights", "gain"),
    [
        (lambda below, heard: multi_controlnet(below, NOTHING, heard), summed(None), (1, 1), 1),
        (lambda below, heard: multi_controlnet(below, NOTHING, heard, min_norm), summed(min_norm), (0.64, 0.36), 1),
        (lambda below, heard: minimal_impact(below, NOTHING, heard, min_norm), by_min_norm, (0.64, 0.36), 4),
    ],
    ids=["sum", "rule", "minimal impact"],
)
def test_two_controls_have_the_weights_that_they_had(
    combine: Combine, balanced: Balanced, weights: tuple[float, float], gain: float, path: list[Moment]
) -> None:
    controls = [says(3.0, 0.0, 0.0), says(0.0, 4.0, 0.0)]
    found = noted(path, lambda watch: watched_controls(combine, feature, controls, ["a", "b"], balanced, watch))
    added = [gain * weight * length / 4.8 for weight, length in zip(weights, (3, 4), strict=True)]
    assert [found["weight", own] for own in "ab"] == pytest.approx(weights)
    assert [found["share", own] for own in "ab"] == pytest.approx(added)
    assert found["share", ALL] == pytest.approx((added[0] ** 2 + added[1] ** 2) ** 0.5)  # of what was handed on
    assert found["gain", ALL] == pytest.approx(gain)


@pytest.mark.parametrize("halves", [1, 2])
def test_fusers_add_what_they_say(halves: int, path: list[Moment]) -> None:
    def fuse(fusers: Callable[..., tuple[Tensor, None, tuple[Tensor, ...]]]) -> Ground:
        def ground(x: Tensor, t: float) -> Encoded:
            (own,) = fusers(x)[2]
            (e,) = feature(x, t).features
            return Encoded((e + own,), NOTHING, NOTHING)

        return ground

    def fusers(x: Tensor) -> tuple[Tensor, None, tuple[Tensor, ...]]:
        return NOTHING, None, (layer(x, 0.0, 1.2, 0.0),)

    found = noted(path, lambda watch: watched_fusers(fuse, fusers, BATCH, watch), halves)
    assert found == {("share", FUSER): pytest.approx(0.25)}


def test_of_what_a_step_asks_often_the_first_is_noted_and_of_a_step_taken_again_the_last(path: list[Moment]) -> None:
    watch = Watch(1)
    denoiser = watched_denoiser(lambda x, _: 0.5 * x, watch)

    def step(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        denoiser(x + 1, at.t)
        return ddim_step(denoiser)(x, at, z)

    x = torch.randn(2, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    for start in (x, x + 5):
        watched_step(step, watch)(start, path[0], x)
    (by_time,) = watch.notes.of.values()
    assert by_time.keys() == {path[0].t}
    torch.testing.assert_close(by_time[path[0].t], clean_estimate(x + 6, 0.5 * (x + 6), path[0].abar)[:1])


@pytest.mark.parametrize("guide", ["freedom", "zmagic"])
def test_a_sampling_that_is_watched_has_the_same_bits(
    guide: str, model: LatentModel, controls: list[Controlled], path: list[Moment]
) -> None:
    watch = Watch(1).within("model 2")
    assert torch.equal(sampled(model, controls, path, guide, watch), sampled(model, controls, path, guide, None))
    names = {(what, whose.removeprefix("model 2: ")) for what, whose in watch.notes.of}
    acted = {("share", ALL), ("share", "a"), ("share", "b"), ("weight", "a"), ("weight", "b"), ("gain", ALL)}
    led = {("energy", "1"), ("energy", "2"), ("cosine", "1, 2")}
    assert names == acted | led | {("estimate", ""), ("guidance", "")}
    for (what, _), by_time in watch.notes.of.items():
        assert list(by_time) == [at.t for at in path]
        shape = {"estimate": (1, 4, 8, 8), "energy": (1,), "cosine": (1,), "guidance": (1,)}.get(what, (1, 5))
        assert all(value.shape == shape and not value.requires_grad for value in by_time.values())


def sampled(
    model: LatentModel, controls: list[Controlled], path: list[Moment], guide: str, watch: Watch | None
) -> Tensor:
    x, states, null, _ = given()
    told = halves(null, states)
    ground = watched_controls(
        lambda below, heard: minimal_impact(below, told, heard),
        encoder(model.unet, told),
        controls,
        ["a", "b"],
        balance,
        watch,
    )
    denoiser = watched_denoiser(guided(watched_model(decoded(model.unet, ground), watch), SCALE), watch)
    conditions = [watched_condition(Condition(near(own), constant(0.1)), watch, name) for name, own in WANTED.items()]
    pair = watched_pairs(list(WANTED), watch)
    if guide == "freedom":
        step = freedom_step(denoiser, conditions, pair)
    else:
        step = zmagic_step(denoiser, conditions, path, Dependence(curvature="finite_difference"), pair)
    return sample(watched_step(step, watch), x, path, no_noise)


WANTED = {"1": 0.5, "2": -0.5}


def near(wanted: float) -> Callable[[Tensor], Tensor]:
    return lambda latents: (latents - wanted).square().mean(dim=(1, 2, 3))


@pytest.mark.parametrize(("wanted", "cosine"), [((0.5, -9.0), 1.0), ((0.5, 0.7), -1.0)])
def test_energies_agree_where_they_pull_the_same_way(
    wanted: tuple[float, float], cosine: float, path: list[Moment]
) -> None:
    """Foreseen is 0.6 everywhere: no noise is predicted."""
    watch = Watch(2)
    conditions = [Condition(near(own), constant(0.01)) for own in wanted]
    step = watched_step(freedom_step(lambda x, _: 0 * x, conditions, watched_pairs(["a", "b"], watch)), watch)
    step(torch.full((2, 1, 2, 2), 0.6) * path[0].abar.sqrt(), path[0], NOTHING)
    assert watch.notes.of["cosine", "a, b"][path[0].t].tolist() == pytest.approx([cosine, cosine], abs=1e-6)


def test_a_silent_energy_is_not_said_to_agree(path: list[Moment]) -> None:
    watch = Watch(1)
    conditions = [Condition(near(0.5), constant(0.01)), Condition(near(0.7), constant(0.01), silent_from=path[0].t)]
    step = watched_step(freedom_step(lambda x, _: 0 * x, conditions, watched_pairs(["a", "b"], watch)), watch)
    step(torch.ones(1, 1, 2, 2), path[0], NOTHING)
    assert not watch.notes.of
