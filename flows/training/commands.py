"""`sluice train`: what is trained."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sluice.flows.local_path import local_path
from sluice.flows.training.trackers import TrackerName

ENGINE = Path(__file__).parents[2] / "infra" / "deepspeed" / "cpu.json"

app = typer.Typer(no_args_is_help=True, help="Training: control networks and fusers by a recipe, the tabletop family.")


@app.callback()
def train() -> None:
    """Training."""


Data = Annotated[list[str], typer.Option(help="OUT/datasets/NAME, or merged shards; several are mixed.")]
Out = Annotated[Path, typer.Option(parser=local_path, help="Where the network comes, and what is needed to go on.")]
Weights = Annotated[list[float] | None, typer.Option(help="Of each --data; by their sizes unless given.")]
Scale = Annotated[str, typer.Option(help="tabletop, or paper: the values for Stable Diffusion 1.5.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, over the recipe's.")]
Checkpoints = Annotated[
    str | None, typer.Option(help="A folder or s3://bucket/prefix for what is needed to go on; in --out unless given.")
]
Processes = Annotated[int | None, typer.Option("--ray", min=1, help="As so many processes of Ray Train.")]
Address = Annotated[str | None, typer.Option(help="HOST:PORT of a Ray cluster; this machine unless given.")]
EstimateOnly = Annotated[bool, typer.Option("--estimate", help="Only say what it will take, from one measured step.")]
Track = Annotated[list[TrackerName] | None, typer.Option(help="Also to one of these; may be given several times.")]
Engine = Annotated[Path, typer.Option(help="DeepSpeed's settings.")]


@app.command()
def recipe(
    file: Annotated[str, typer.Argument(help="A YAML file like those in flows/configs/recipes.")],
    data: Data,
    out: Out,
    weight: Weights = None,
    scale: Scale = "tabletop",
    set_: Set = None,
    engine: Engine = ENGINE,
    track: Track = None,
    checkpoints: Checkpoints = None,
    ray: Processes = None,
    ray_address: Address = None,
    estimate: EstimateOnly = False,
) -> None:
    """By a recipe of your own."""
    from rich.console import Console

    from sluice.flows.training.cluster import train_on_ray
    from sluice.flows.training.engine import read_engine
    from sluice.flows.training.estimate import estimate as measure_step
    from sluice.flows.training.recipes import load_recipe
    from sluice.flows.training.train import prepare, train_prepared

    settings = read_engine(engine)
    asked = load_recipe(file, scale, set_ or ())

    def begin(console: Console) -> None:
        train_prepared(prepare(asked, data, weight, settings), settings, out, console, track or (), checkpoints)

    console = Console(soft_wrap=True, highlight=False)
    if estimate:
        console.print("\n".join(measure_step(prepare(asked, data, weight, settings), settings).lines()))
    elif ray:
        train_on_ray(begin, out, ray, ray_address)
    else:
        begin(console)


def _ready(name: str) -> Callable[..., None]:
    """`recipe` of one name."""

    def command(**options: Any) -> None:
        recipe(name, **options)

    asked = inspect.signature(recipe, eval_str=True)
    command.__signature__ = asked.replace(parameters=list(asked.parameters.values())[1:])  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in asked.parameters.values()}
    return command


READY = {
    "controlnet": "A plain ControlNet, the baseline.",
    "micontrolnet-1": "MIControlNet, stage 1: minimal-impact injection on rebalanced data.",
    "micontrolnet-2": "MIControlNet, stage 2: with the conservativity loss.",
    "cnc-local": "Compose and Conquer's local fuser.",
    "cnc-global": "Compose and Conquer's global fuser.",
    "cnc-joint": "Both fusers together.",
}
for name, told in READY.items():
    app.command(name, help=told)(_ready(name))


@app.command()
def tabletop(
    out: Annotated[
        Path, typer.Option(parser=local_path, help="Where models and what is needed to go on are kept.")
    ] = Path("tabletop"),
    only: Annotated[list[str] | None, typer.Option(help="Only this part; may be given several times.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Other than the recipe's, to try it in an --out of its own.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of first weights and noise.")] = 0,
    given: Annotated[
        str | None, typer.Option(help="A trained family, by folder or name: what --only's parts need is taken from it.")
    ] = None,
) -> None:
    """The tabletop family from nothing, part by part; resumes by itself."""
    from rich.console import Console

    from sluice.flows.tabletop.train import train_tabletop
    from sluice.infra.weights.models import find

    family = find(given).path if given else None
    train_tabletop(out, only or (), steps, seed, Console(soft_wrap=True, highlight=False), family)


@app.command()
def evidence(
    out: Annotated[Path, typer.Option(parser=local_path, help="Where data sets and networks come.")] = Path("evidence"),
    only: Annotated[
        list[str] | None, typer.Option(help="Only this network, and what it begins from; may be given several times.")
    ] = None,
    base: Annotated[str, typer.Option(help="What they control: a family, by folder or name.")] = "tabletop",
    processes: Annotated[int, typer.Option(min=1, help="That train one network together.")] = 1,
    set_: Annotated[list[str] | None, typer.Option("--set", help="NAME=VALUE, over every recipe's.")] = None,
    engine: Engine = ENGINE,
) -> None:
    """Every network that the papers' claims are measured with on tabletop, by their recipes."""
    from rich.console import Console

    from sluice.flows.evidence.networks import read_evidence
    from sluice.flows.evidence.train import EvidenceTraining

    console = Console(soft_wrap=True, highlight=False)
    EvidenceTraining(read_evidence(), out, base, processes, set_ or (), engine, console)(only or ())


@app.command()
def measure(
    models: Annotated[
        str, typer.Argument(help="A family: its folder, OUT/models of a training, or its name in the catalogue.")
    ] = "tabletop",
    card: Annotated[bool, typer.Option("--card", help="Write the model card, and the figures as JSON.")] = False,
) -> None:
    """What a trained tabletop family can do on scenes that it never saw."""
    from rich.console import Console

    from sluice.flows.tabletop.card import write_card
    from sluice.flows.tabletop.measure import measure_family
    from sluice.infra.weights.models import find

    console = Console(soft_wrap=True, highlight=False)
    folder, figures = find(models).path, []
    for figure in measure_family(folder):
        figures.append(figure)
        held_to = f" (floor: {figure.held_to})" if figure.held_to else ""
        console.print(f"{figure.part}: {figure.name}: {figure.value:.3g}{held_to}, on {figure.measured_on}")
    if card:
        console.print(f"The card: {write_card(folder, figures)}")
