"""What every flow comes to where nothing happens: made first, on every set of inputs."""

from __future__ import annotations

from sluice.infra.errors import SluiceError
from tests.soak.flows import FLOWS, Flow, Made, made_by
from tests.soak.grounds import Grounds, Place

Undisturbed = dict[tuple[str, int], Made]


class NotSound(SluiceError):
    """A flow fails although nothing disturbs it."""


def undisturbed(flow: Flow, place: Place, grounds: Grounds) -> Made:
    """Of one flow. Raises NotSound."""
    command = grounds.start(flow.words(place))
    try:
        code, said = command.end(1200)
    finally:
        command.clear()
    if code != 0:
        raise NotSound(f"{flow.name} fails undisturbed:\n{said[-3000:]}")
    return made_by(flow, place)


def train_data(grounds: Grounds, number: int) -> None:
    """The data set in the bucket that trainings on a set of inputs read. Raises NotSound."""
    at = grounds.place(number, "")
    on_s3 = FLOWS[1]
    undisturbed(on_s3, Place(at.inputs, at.remote_inputs, grounds.disk / "none", f"{at.remote_inputs}/data"), grounds)
