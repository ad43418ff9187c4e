"""Records that are newly at the ends of a distribution, with their pictures: the only images that a report reads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sluice.infra.errors import SluiceError
from sluice.infra.page.blocks import Strip
from sluice.infra.storage import Storage
from sluice.preprocess.compare.movement import Movement, Spread
from sluice.preprocess.compare.tally import Extreme, Tails
from sluice.preprocess.page.distributions import TITLES
from sluice.preprocess.page.pictures import figure, picture
from sluice.preprocess.record import Array, Record
from sluice.preprocess.version.manifest import Version
from sluice.preprocess.version.reading import StageOutput, shard_outputs, stream_output

QUANTITIES, EACH, SIDE = 4, 6, 160


@dataclass(frozen=True)
class Examples:
    """A strip for each of the worst quantities, and why some could not be read."""

    strips: list[Strip]
    problems: list[str]


def examples(storage: Storage, version: Version, moved: Iterable[Movement], tails: Mapping[str, Tails]) -> Examples:
    """Pictures of records outside of where 90% of the records lay before, of at most four quantities that moved.

    Of each tar that holds one, the images are read up to the last of them.
    """
    found = ((m, newly_outside(m.spread, tails[m.name])) for m in moved if m.spread and m.name in tails)
    shown = [(movement, extremes) for movement, extremes in found if extremes][:QUANTITIES]
    wanted: dict[str, set[str]] = defaultdict(set)
    for _, extremes in shown:
        for extreme in extremes:
            wanted[extreme.shard].add(_key(extreme))
    images: dict[str, Array] = {}
    problems = []
    writer = next(stage["name"] for stage in version.manifest["stages"] if "jpg" in stage["writes"])
    for outputs in shard_outputs(storage, version) if wanted else ():
        for output in outputs:
            if output.stage == writer and output.shard in wanted:
                try:
                    images.update(_images(storage, output, wanted[output.shard]))
                except SluiceError as error:
                    problems.append(f"shard {output.ordinal}: {error}")
    return Examples([_strip(*one, images) for one in shown], problems)


def newly_outside(spread: Spread, tails: Tails) -> list[Extreme]:
    """Of the ends, what lies outside of the earlier 5% and 95%, the end that grew first; at most six."""
    (low, low_now), _, (high, high_now) = spread.quantiles
    below = [extreme for extreme in tails.least if extreme.value < low]
    above = [extreme for extreme in tails.greatest if extreme.value > high]
    ends = (above, below) if high_now - high > low - low_now else (below, above)
    return [extreme for end in ends for extreme in end][:EACH]


def _key(extreme: Extreme) -> str:
    return f"{extreme.key:016x}"


def _images(storage: Storage, output: StageOutput, keys: Collection[str]) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for key, fields in stream_output(storage, output, ["jpg"]):
        if key in keys:
            found[key] = picture("jpg", Record(key, fields)["jpg"])
            if len(found) == len(keys):
                break
    return found


def _strip(movement: Movement, extremes: Sequence[Extreme], images: Mapping[str, Array]) -> Strip:
    assert movement.spread is not None
    (low, _), _, (high, _) = movement.spread.quantiles
    there = [extreme for extreme in extremes if _key(extreme) in images]
    figures = [figure(_key(e), images[_key(e)], SIDE, f"{e.value:.3g}") for e in there]
    return Strip(figures, f"{TITLES.get(movement.name, movement.name)}: 90% lay from {low:.3g} to {high:.3g} before")
