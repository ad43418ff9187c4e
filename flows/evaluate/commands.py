"""`sluice evaluate`: what the papers claim, measured; the page of it; two runs beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluice.flows.evaluate.names import TABLETOP, chosen
from sluice.flows.local_path import local_path

app = typer.Typer(help="Evaluating: the papers' claims, with intervals and a verdict for each.")

RESULTS = Path("docs/results")


@app.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    suite: Annotated[str | None, typer.Option(help="papers (the eight claims and more) or ablations.")] = None,
    protocol: Annotated[list[str] | None, typer.Option(help="Only this one; may be given several times.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer scenes and steps, and wide intervals.")] = False,
    base: Annotated[
        str, typer.Option(help="A name or a folder: the family with all its parts; of --data any.")
    ] = TABLETOP,
    networks: Annotated[str, typer.Option(help="OUT/networks of `sluice train evidence`, or tabletop.")] = TABLETOP,
    data: Annotated[
        str | None,
        typer.Option(
            help="In place of tabletop's scenes: OUT/datasets/NAME of `sluice dataset build`; of amdm, COCO-MIG's JSON."
        ),
    ] = None,
    scenes: Annotated[int | None, typer.Option(help="Held-out scenes, or records, of each comparison.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Of sampling, for each scene.")] = None,
    steps: Annotated[int | None, typer.Option(help="Of every sampling.")] = None,
    safety: Annotated[
        str | None,
        typer.Option(help="What judges the pictures: open-nsfw, a folder's classifier, or none."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Pictures over so many actors of Ray.")] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="HOST:PORT of a Ray cluster, whose actors make them; its machines share PLACE.")
    ] = None,
    place: Annotated[Path, typer.Option(parser=local_path, help="Where pictures are kept: none is made twice.")] = Path(
        "evaluation"
    ),
    out: Annotated[
        Path | None,
        typer.Option(
            parser=local_path,
            help="The folder where figures go, NAME.json of each: docs/results where tabletop is measured whole, else "
            "PLACE/results/BASE (BASE-quick, BASE-NETWORKS), or of data PLACE/results/VERSION.",
        ),
    ] = None,
) -> None:
    """Measure protocols, each method against its baselines on the same scenes and noise."""
    if context.invoked_subcommand is not None:
        return
    names = chosen(suite, protocol or ())  # before all that takes long to load

    from rich.console import Console

    from sluice.flows.compose.run.runs import Workers
    from sluice.flows.evaluate.methods import Networks
    from sluice.flows.evaluate.opened import opened
    from sluice.flows.evaluate.settings import settings_of
    from sluice.flows.evaluate.suite import Place, evaluate

    over = {"scenes": scenes, "seeds": seeds, "steps": steps}
    told = None if data is None else opened(data, base)
    whole = {base, networks} == {TABLETOP} and safety is None and not quick and not any(over.values())
    apart = _apart(told.version, TABLETOP, quick) if told else None if whole else _apart(base, networks, quick)
    results = out or (RESULTS if apart is None else place / "results" / apart)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    over_ray = Workers(workers, ray_address) if workers or ray_address else None
    at = Place(base, Networks(networks), place, results, console, told, safety, over_ray)
    evaluate([(name, settings_of(name, quick, over)) for name in names], at)
    asked = "" if results == RESULTS else f" --results {results}"
    console.print(f"{results}; `sluice evaluate report{asked}` makes a page of it")


def _apart(what: str, networks: str, quick: bool) -> str:
    """Of what is not the whole measure of tabletop, the folder: it is not to take the place of figures in docs."""
    own = [] if networks == TABLETOP else [Path(networks).resolve().name]
    return "-".join([Path(what).resolve().name, *own, *(["quick"] if quick else [])])


@app.command()
def report(
    results: Annotated[Path, typer.Option(parser=local_path, help="The folder of what was measured.")] = RESULTS,
    place: Annotated[Path, typer.Option(parser=local_path, help="Where pictures are kept, for the page.")] = Path(
        "evaluation"
    ),
    out: Annotated[
        Path | None, typer.Option(parser=local_path, help="The text; unless given, beside the folder, by its name.")
    ] = None,
) -> None:
    """All that was measured, as text, and as a page with pictures beside them, PLACE/NAME.html by the text's name."""
    from sluice.flows.evaluate.made import FOLDER
    from sluice.flows.evaluate.page import missing_of, page_of
    from sluice.flows.evaluate.results import page, read_all
    from sluice.infra.whole import write_whole

    found = read_all(results)
    named = results if results.name not in {"", ".."} else results.resolve()  # `.` has no name to go by
    text = out or named.with_name(f"{named.name}.md")
    shown = place / f"{text.stem}.html"
    write_whole(text, page(found))
    write_whole(shown, page_of(found, place / FOLDER))
    typer.echo(f"{text}\n{shown}")
    if missing := missing_of(found, place / FOLDER):
        typer.echo(
            f"{missing} of the examples' pictures are not whole in {place / FOLDER}: name with `--place` where they are"
        )


@app.command()
def metrics() -> None:
    """Every metric, what its numbers mean, and which are better; also those of installed packages."""
    from rich.console import Console

    from sluice.flows.evaluate.listed import table

    Console().print(table())


@app.command()
def compare(
    one: Annotated[Path, typer.Argument(parser=local_path, metavar="ONE", help="A folder of results.")],
    other: Annotated[Path, typer.Argument(parser=local_path, metavar="OTHER", help="Another one.")],
) -> None:
    """Two runs side by side, with a mark where figures differ."""
    from sluice.flows.evaluate.compare import compare as compared

    typer.echo(compared(one, other), nl=False)
