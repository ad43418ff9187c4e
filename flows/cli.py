"""`sluice`: the command line. Heavy imports stay inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

USER_ERROR, FAILED, INTERRUPTED = 2, 1, 130
GROUPS = {
    "dataset": ("sluice.flows.dataset_commands", "Images to verified webdataset shards."),
    "train": ("sluice.flows.train_commands", "The tabletop family, trained from nothing."),
    "models": ("sluice.flows.models", "Weights by name: list, show, pull."),
}


class LazyGroups(TyperGroup):
    """Loads a group of commands when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*sorted(GROUPS), *super().list_commands(ctx)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in GROUPS:
            return typer.main.get_command(importlib.import_module(GROUPS[cmd_name][0]).app)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=LazyGroups, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def sluice(debug: bool = typer.Option(False, "--debug", help="Show tracebacks.")) -> None:
    """Multi-condition diffusion, from raw images to composed pictures."""
    if debug:
        os.environ["SLUICE_DEBUG"] = "1"


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where photographs and results go.")] = Path("demo"),
) -> None:
    """Real photographs to webdataset shards and a page, on this machine."""
    from rich.console import Console

    from sluice.flows.demo import run_demo

    run_demo(folder, Console(soft_wrap=True))


def main() -> None:
    """Run a command. Exit 2 for the user's mistakes, 1 for failed runs, 130 when interrupted."""
    from sluice.infra.errors import SluiceError

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what ends a job of a cluster is a Ctrl-C to us
    try:
        code = app(standalone_mode=False)  # Typer turns a Ctrl-C into its exit code, and does not exit
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except (KeyboardInterrupt, typer.Abort):
        _end("\nInterrupted. What is done is kept: the same command goes on from there.", INTERRUPTED)
    except (SluiceError, OSError) as error:
        if os.environ.get("SLUICE_DEBUG"):
            raise
        _end(f"Error: {error}", getattr(error, "exit_code", USER_ERROR))
    except typer.TyperException as error:
        if hasattr(error, "show"):  # a usage error: it prints the command's usage too
            error.show()
            sys.exit(USER_ERROR)
        _end(f"Error: {error}", USER_ERROR)


def _end(message: str, code: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(code)
