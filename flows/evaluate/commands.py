"""`sluice evaluate`: what is measured, and the page of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Evaluating: the papers' claims, with intervals and a verdict for each.")

RESULTS = Path("docs/results")


@app.callback()
def evaluate() -> None:
    """Evaluating."""


@app.command()
def training(
    networks: Annotated[str, typer.Option(help="OUT/networks of `sluice train evidence`, or tabletop.")] = "tabletop",
    control: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    base: Annotated[str, typer.Option(help="What the networks control.")] = "tabletop",
    judges: Annotated[str, typer.Option(help="Who says what a picture shows.")] = "tabletop/judges",
    scenes: Annotated[int, typer.Option(min=2, help="Held-out scenes for each control.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Of DDIM.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Of sampling, for each scene.")] = 3,
    place: Annotated[Path, typer.Option(help="Where pictures are kept: none is made twice.")] = Path("evaluation"),
    out: Annotated[Path, typer.Option(help="Where the figures go, as JSON.")] = RESULTS / "training.json",
) -> None:
    """The trained control networks: silence, obedience, conservativity."""
    from rich.console import Console

    from sluice.flows.evaluate.cases import CONTROLS
    from sluice.flows.evaluate.methods import Networks, Sampling
    from sluice.flows.evaluate.results import keep
    from sluice.flows.evaluate.training import measure_training
    from sluice.infra.settings import ConfigError, nearest

    console, wanted = Console(soft_wrap=True, highlight=False), control or list(CONTROLS)
    for name in wanted:
        if name not in CONTROLS:
            raise ConfigError(f"--control {name}: there is no such control; {nearest(name, CONTROLS)}")
    sampling = Sampling(base, steps, seeds=seeds)
    keep(measure_training(Networks(networks), wanted, judges, scenes, sampling, place, console), out)
    console.print(f"{out}; `sluice evaluate report` makes a page of it")


@app.command()
def combiners(
    only: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    base: Annotated[str, typer.Option(help="The family, a name or a folder with all of its parts.")] = "tabletop",
    networks: Annotated[str, typer.Option(help="OUT/networks of `sluice train evidence`, or tabletop.")] = "tabletop",
    scenes: Annotated[int, typer.Option(min=2, help="Held-out scenes for each comparison.")] = 32,
    steps: Annotated[int, typer.Option(min=1, help="Of every sampling.")] = 20,
    seeds: Annotated[int, typer.Option(min=1, help="Of sampling, for each scene.")] = 2,
    place: Annotated[Path, typer.Option(help="Where pictures are kept: none is made twice.")] = Path("evaluation"),
    out: Annotated[Path, typer.Option(help="The folder where the figures go, NAME.json of each.")] = RESULTS,
) -> None:
    """The combiners on tabletop, each against its baselines on the same scenes and noise."""
    from rich.console import Console

    from sluice.flows.evaluate.combiners.comparisons import COMPARISONS, measure_combiners
    from sluice.flows.evaluate.methods import Networks, Sampling
    from sluice.infra.settings import ConfigError, nearest

    for name in only or ():
        if name not in COMPARISONS:
            raise ConfigError(f"--only {name}: there is no such comparison; {nearest(name, COMPARISONS)}")
    console, sampling = Console(soft_wrap=True, highlight=False), Sampling(base, steps, seeds=seeds)
    measure_combiners(only or list(COMPARISONS), scenes, sampling, Networks(networks), place, out, console)
    console.print(f"{out}; `sluice evaluate report` makes a page of it")


@app.command()
def report(
    results: Annotated[Path, typer.Option(help="The folder of what was measured.")] = RESULTS,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("docs/results.md"),
) -> None:
    """The page of all that was measured."""
    from sluice.flows.evaluate.results import page, read
    from sluice.infra.settings import ConfigError
    from sluice.infra.whole import write_whole

    files = sorted(results.glob("*.json"))
    if not files:
        raise ConfigError(f"{results} holds no results: `sluice evaluate training` and `combiners` measure some")
    write_whole(out, page([read(file) for file in files]))
    typer.echo(str(out))
