"""`sluice train`: what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Training: the tabletop family.")


@app.callback()
def train() -> None:
    """Training."""


@app.command()
def tabletop(
    out: Annotated[Path, typer.Option(help="Where models and what is needed to go on are kept.")] = Path("tabletop"),
    only: Annotated[list[str] | None, typer.Option(help="Only this part; may be given several times.")] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Other than the recipe's, to try it in an --out of its own.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of first weights and noise.")] = 0,
) -> None:
    """The tabletop family from nothing, part by part; resumes by itself."""
    from rich.console import Console

    from sluice.flows.tabletop.train import train_tabletop

    train_tabletop(out, only or (), steps, seed, Console(soft_wrap=True, highlight=False))


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
    from sluice.infra.models import find

    console = Console(soft_wrap=True, highlight=False)
    folder, figures = find(models).path, []
    for figure in measure_family(folder):
        figures.append(figure)
        held_to = f" (floor: {figure.held_to})" if figure.held_to else ""
        console.print(f"{figure.part}: {figure.name}: {figure.value:.3g}{held_to}, on {figure.measured_on}")
    if card:
        console.print(f"The card: {write_card(folder, figures)}")
