"""`sluice models`: what weights there are, what is known of them, and how they come here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sluice.infra.errors import SluiceError
from sluice.infra.settings import ConfigError

if TYPE_CHECKING:
    from sluice.infra.weights.models import Entry, Found


class NotPulled(SluiceError):
    """Some of several weights could not be had; the others are in the cache."""


app = typer.Typer(no_args_is_help=True, help="Weights by name: list them, show one, pull them into the cache.")


@app.command("list")
def list_models() -> None:
    """Every model of the catalogue, and whether it is in the cache."""
    from rich.console import Console
    from rich.table import Column, Table

    from sluice.infra.weights.catalogue import catalogue, readable_size

    # A pipe has no width of its own; eighty columns would fold every row.
    console = Console()
    console = console if console.is_terminal else Console(width=160)
    table = Table(
        Column("name", no_wrap=True), "kind", "size", "licence", "where from", "cached", box=None, pad_edge=False
    )
    for name, info in sorted(catalogue().items(), key=lambda item: (item[1].kind, item[0])):
        licence = info.licence + (" *" if info.doubts else "")
        table.add_row(name, info.kind, readable_size(info.size), licence, str(info.origin), _state(name)[0])
    console.print(table, highlight=False)
    console.print("\n* has doubts: `sluice models show NAME` tells them.", highlight=False)


@app.command("show")
def show_model(name: Annotated[str, typer.Argument(help="A name of the catalogue, or a path to weights.")]) -> None:
    """Everything that is known of one model: origin, digest, licence and the doubts about it."""
    from sluice.infra.weights.catalogue import catalogue, entry

    own = name not in ("", *catalogue()) and Path(name).expanduser().exists()
    for label, value in _own_facts(name) if own else _facts(name, entry(name)):
        typer.echo(f"{label + ':':<10} {value}")


@app.command("pull")
def pull_models(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Names of the catalogue, or s3:// URIs.")],
    origin: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PLACE", help="A folder, s3://bucket/prefix or `hub`, instead of the catalogue's."
        ),
    ] = None,
) -> None:
    """Bring weights into the cache, verified; what is there to the last byte stays."""
    if origin is not None and not origin.strip():
        raise ConfigError("--from is empty: name a folder, s3://bucket/prefix or `hub`, or leave it out")
    for found in pull_all(names, origin):
        typer.echo(f"{found.name}: {found.path}{_unverified(found)}")


@app.command("convert")
def convert_model(
    checkpoint: Annotated[Path, typer.Argument(help="Compose and Conquer's released checkpoint, or one laid out so.")],
    to: Annotated[Path, typer.Option(help="The folder that gets `local` and `global`, as `sluice train` leaves them.")],
) -> None:
    """A released checkpoint as our networks, which diffusers reads."""
    from sluice.training.networks.released_fusers import read_released

    fusers = read_released(checkpoint)
    for name, own in (("local", fusers.local), ("global", fusers.wide)):
        if own is not None:
            own.save_pretrained(to / name)
            typer.echo(f"{name}: {to / name}")


def pull_all(names: Sequence[str], origin: str | None = None) -> Iterator[Found]:
    """Pull one after the other; one that cannot be had does not keep the others back.

    Raises NotPulled at the end, with every reason, or the error itself where one name was asked for.
    """
    failed: dict[str, SluiceError] = {}
    for name in names:
        try:
            yield _pull_with_progress(name, origin)
        except SluiceError as error:
            failed[name] = error
    if failed and len(names) == 1:
        raise failed[names[0]]
    if failed:
        reasons = "\n".join(f"  {name}: {error}" for name, error in failed.items())
        raise NotPulled(f"{len(failed)} of {len(names)} weights could not be had:\n{reasons}")


def _unverified(found: Found) -> str:
    if found.info is None or not found.info.unverified:
        return ""
    return (
        f" (the catalogue knows no digest of {', '.join(found.info.unverified)}: believed as it came, SHA-256 "
        f"{found.digest[:12]} from now on)"
    )


def _pull_with_progress(name: str, origin: str | None) -> Found:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from sluice.infra.weights.models import pull

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:

        def show(done: int, total: int) -> None:
            # Made with the first bytes: a hub shows bars of its own.
            bar = bars.task_ids[0] if bars.task_ids else bars.add_task(name)
            bars.update(bar, completed=done, total=total or None)

        return pull(name, origin, show)


def _state(name: str) -> tuple[str, str | None]:
    """Whether a model is in the cache ("yes", "no", "damaged"), and the digest it was pulled with."""
    from sluice.infra.weights.models import DamagedWeights, MissingWeights, find

    try:
        return "yes", find(name).digest
    except MissingWeights:
        return "no", None
    except DamagedWeights:
        return "damaged", None


def _own_facts(name: str) -> list[tuple[str, str]]:
    """Of weights that the catalogue does not know."""
    from sluice.infra.digests import size_of
    from sluice.infra.weights.catalogue import readable_size
    from sluice.infra.weights.models import find

    found = find(name)
    return [("path", str(found.path)), ("sha256", found.digest), ("size", readable_size(size_of(found.path)))]


def _facts(name: str, info: Entry) -> list[tuple[str, str]]:
    from sluice.infra.weights.catalogue import Hub, Package, Shipped, readable_size
    from sluice.infra.weights.models import find

    state, pulled_digest = _state(name)
    facts = [
        ("name", name),
        ("what", info.what),
        ("kind", info.kind),
        ("network", info.network),
        ("form", info.form + (f", converted once from a {info.pickled} pickle" if info.pickled else "")),
        ("from", str(info.origin)),
    ]
    match info.origin:
        case Hub(files=files):
            facts += [("file", f"{file}  {digest or ''}".rstrip()) for file, digest in files.items()]
        case Package(member=file) | Shipped(shipped=file):
            facts += [("file", file)]
    facts += [
        ("sha256", info.sha256 or pulled_digest or "unverified until pulled; recorded on first pull"),
        *([("unverified", f"no digest is known of {', '.join(info.unverified)}")] if info.unverified else []),
        ("size", readable_size(info.size)),
        ("licence", info.licence),
        ("doubts", info.doubts or "none known"),
        ("needs", info.needs or "nothing"),
        ("cached", f"{state}{f', {find(name).path}' if state == 'yes' else ''}"),
    ]
    return facts
