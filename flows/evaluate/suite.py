"""Several protocols, run on some networks: what each needs is looked for first, what each finds is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from sluice.flows.compose.run.runs import Run, Workers, runs
from sluice.flows.compose.run.safety import NONE, found_or_refused, screen_of
from sluice.flows.compose.tree.weights import found
from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.coco_mig import CocoMig
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.counted import stage
from sluice.flows.evaluate.each_case import keep_cases
from sluice.flows.evaluate.measures import PROTOCOLS
from sluice.flows.evaluate.methods import Networks, Sampling
from sluice.flows.evaluate.names import TABLETOP
from sluice.flows.evaluate.records import Records
from sluice.flows.evaluate.refused import (
    refuse_without,
    refuse_without_controls,
    refuse_without_instances,
    refuse_without_networks,
    refuse_without_truths,
)
from sluice.flows.evaluate.results import DATA, keep, make_ready, of_other_networks, refuse_others
from sluice.flows.evaluate.settings import Settings
from sluice.infra.code import code_version
from sluice.infra.errors import SluiceError
from sluice.infra.weights.models import MissingWeights

UNJUDGED = "Nothing judges the pictures: `safety` is `none`, as it is for models that draw tabletop's scenes alone."
JUDGED = "Every picture is judged before it is kept, by {}."


class NothingToMeasure(SluiceError):
    """All that a protocol is of is left out."""


class NotMeasured(SluiceError):
    """Some protocols ended before their figures."""

    exit_code = 1


@dataclass(frozen=True)
class Place:
    """Which networks are measured, where pictures and figures go, and on which data, if not on tabletop's scenes.

    `safety` is what judges pictures before they are kept, where it is not what judges those of jobs; `workers` make
    them, where they are not made in this process.
    """

    base: str
    networks: Networks
    pictures: Path
    results: Path
    console: Console
    data: Records | CocoMig | None = None
    safety: str | None = None
    workers: Workers | None = None

    def contest(self, name: str, settings: Settings, run: Run) -> Contest:
        """Of a protocol, by its settings, its pictures made by a run."""
        sampling = Sampling(self.base, settings.steps, settings.guidance, settings.seeds, self.safety)
        records, asked = (None, self.data) if isinstance(self.data, CocoMig) else (self.data, None)
        about = sampling, self.pictures, self.console, self.networks
        return Contest(*about, data=records, asked=asked, protocol=name, run=run)

    @property
    def told(self) -> dict[str, str]:
        """For results."""
        networks = {} if self.networks.place == TABLETOP else {"networks": _meant(self.networks.place)}
        data = {} if self.data is None else {DATA: self.data.told}
        return {"base": _meant(self.base), **networks, **data}


def _meant(place: str) -> str:
    """A name, or a folder however it is named: one of the working directory's own wherever that lies."""
    if not Path(place).is_dir():
        return place
    folder, here = Path(place).resolve(), Path.cwd()
    return f"./{folder.relative_to(here)}".removesuffix("/.") if folder.is_relative_to(here) else str(folder)


def weights_of(name: str, contest: Contest) -> dict[str, str]:
    """Digests of what a protocol is of, by name. Raises UnknownModel, MissingWeights, NothingToMeasure, Unscreened."""
    base, parts, controls = contest.sampling.base, PROTOCOLS[name].parts, PROTOCOLS[name].controls
    if contest.data is not None:
        parts, controls = (), _heard(name, contest) or controls
        refuse_without(PROTOCOLS[name].on_data or (), name, base)
    if contest.asked is not None:
        parts = PROTOCOLS[name].on_instances or ()
    for part in parts:
        if Path(base).is_dir() and not Path(base, part).exists():
            raise MissingWeights(f"{base} holds no {part}, of which '{name}' is: `sluice train tabletop --only {part}`")
    refuse_without_controls(name, contest, controls)
    places = {Path(base).name: base} | {part: f"{base}/{part}" for part in parts}
    places |= {own: contest.networks.of(own) for own in controls} | dict(PROTOCOLS[name].more(contest))
    places |= contest.asked.weights if contest.asked is not None else {}
    digests = {own: found(place).digest[:12] for own, place in places.items()}
    by = judged_by(name, contest)
    return digests if by in {None, NONE} else digests | {Path(by).name: found_or_refused(by)[:12]}


def judged_by(name: str, contest: Contest) -> str | None:
    """What judges the pictures that a protocol makes; None where it makes none."""
    return contest.sampling.judged_by if PROTOCOLS[name].pictures(contest) else None


def _heard(name: str, contest: Contest) -> tuple[str, ...]:
    """The networks of the controls that can be measured on some data."""
    if not PROTOCOLS[name].pictures(contest):
        lacks = "\n".join(f"{what}: {why}" for what, why in contest.left_out.items())
        raise NothingToMeasure(f"'{name}' has nothing left to measure on this data. What it lacks:\n{lacks}")
    return tuple(contest.heard)


def evaluate(wanted: Sequence[tuple[str, Settings]], at: Place) -> None:
    """Each protocol by its settings, its figures kept as soon as it is measured; the others go on where one ends.

    Nothing is made where a part is missing, and how many pictures there are to be, and what judges them, is said first.
    Raises UnknownModel, MissingWeights, Unscreened, NoCluster, NotMeasured at the end, and ConfigError for data that a
    protocol is not of, results that were measured otherwise, or where they cannot be kept.
    """
    names = [name for name, _ in wanted]
    found(at.base)  # else the first part that it lacks would be named
    refuse_without_networks(at.networks.place)
    if isinstance(at.data, CocoMig):
        refuse_without_instances(names, at.data)
    elif at.data is not None:
        refuse_without_truths(names, at.data)
    with runs(at.workers, [stage(name, "made") for name in names]) as run:
        ended = _measured_by(run, wanted, at)
    if ended:
        whys = "\n".join(f"{name}: {why}" for name, why in ended.items())
        raise NotMeasured(f"{len(ended)} of {len(wanted)} protocols were not measured:\n{whys}")


def _measured_by(run: Run, wanted: Sequence[tuple[str, Settings]], at: Place) -> dict[str, str]:
    """Why some protocols ended before their figures."""
    contests = {name: at.contest(name, settings, run) for name, settings in wanted}
    made_of = {name: weights_of(name, contest) for name, contest in contests.items()}
    safety = {name: judged_by(name, contest) for name, contest in contests.items()}
    judging = list(dict.fromkeys(filter(None, safety.values())))
    for by in judging:
        screen_of(by)  # what does not load is said before anything is there
    told = {name: {**at.told, **_treated(safety[name]), **settings.model_dump()} for name, settings in wanted}
    refuse_others(at.results, at.told.get(DATA), told)
    for line in of_other_networks(at.results, made_of):
        at.console.print(line, style="yellow")
    make_ready(at.pictures, "pictures", "--place")
    make_ready(at.results, "figures", "--out")
    _say_beforehand(wanted, contests, judging, at)
    return _each(contests, made_of, told, at)


def _each(
    contests: Mapping[str, Contest],
    made_of: Mapping[str, dict[str, str]],
    told: Mapping[str, dict[str, Any]],
    at: Place,
) -> dict[str, str]:
    """Measure one protocol after the other, and keep its figures; why some ended before theirs."""
    ended: dict[str, str] = {}
    for name, contest in contests.items():
        try:
            results = _measured(name, contest, made_of[name], told[name])
        except SluiceError as error:
            ended[name] = str(error)
            at.console.print(f"{name} ends: {error}", style="red")
            continue
        keep_cases(contest.values, at.results / f"{name}.csv")
        keep(results, at.results / f"{name}.json")
        at.console.print("\n".join(f"{name}: {claim.verdict}. {claim.says}" for claim in results.claims))
    return ended


def _say_beforehand(
    wanted: Sequence[tuple[str, Settings]], contests: Mapping[str, Contest], judging: Sequence[str], at: Place
) -> None:
    """How many pictures there are to be, of how many cases of data, and what judges them."""
    budget = 0
    for name, settings in wanted:
        each, cases = PROTOCOLS[name].pictures(contests[name]), settings.scenes * settings.seeds
        budget += each * cases
        at.console.print(f"{name}: at most {each * cases} pictures, {each} of each scene and seed")
    at.console.print(f"In all at most {budget} pictures; what is there already is not made again.")
    if at.data is not None:
        most = max(settings.scenes for _, settings in wanted)
        fewer = f", fewer than the {most} asked for" if at.data.count < most else ""
        at.console.print(f"On {at.data.told}: {at.data.count} cases{fewer}.")
    for by in judging:
        at.console.print(UNJUDGED if by == NONE else JUDGED.format(by))


def _treated(safety: str | None) -> dict[str, str]:
    return {} if safety is None else {"safety": safety}


def _measured(name: str, contest: Contest, made_of: dict[str, str], told: dict[str, Any]) -> Results:
    estimates, claims = PROTOCOLS[name].measure(contest, told["scenes"])
    estimates += contest.populations
    judged = [claim for claim in claims if claim.verdicts]  # of what could not be measured there is nothing to judge
    about = name, PROTOCOLS[name].title, made_of, told
    return Results(*about, estimates, judged, contest.examples, contest.left_out, contest.curves, code_version())
