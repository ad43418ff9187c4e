"""`sluice`: the command line. Heavy imports stay inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import atexit
import importlib
import importlib.metadata
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from sluice.flows.observe.log import told
from sluice.infra import interrupts
from sluice.infra.errors import SluiceError
from sluice.infra.printable import printable_lines

USER_ERROR, FAILED, INTERRUPTED = 2, 1, 130
SAID_INTERRUPTED = "\nInterrupted. What is done is kept: the same command goes on from there."
GROUPS = {
    "dataset": "sluice.flows.dataset.commands",
    "evaluate": "sluice.flows.evaluate.commands",
    "train": "sluice.flows.training.commands",
    "models": "sluice.flows.models",
}
COMMANDS = {
    "compose": "sluice.flows.compose.commands",
    **dict.fromkeys(("gc", "lineage", "status"), "sluice.flows.operate.commands"),
    **dict.fromkeys(("deploy", "serve"), "sluice.flows.schedule.commands"),
    **dict.fromkeys(("logs", "stop", "submit"), "sluice.flows.submit.commands"),
}


class LazyGroups(TyperGroup):
    """Loads a group of commands, or one of a group that has no name, when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*sorted(GROUPS), *super().list_commands(ctx), *sorted(COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in GROUPS:
            group = typer.main.get_group(importlib.import_module(GROUPS[cmd_name]).app)
            group.name = cmd_name
            return group
        if cmd_name in COMMANDS:
            return typer.main.get_group(importlib.import_module(COMMANDS[cmd_name]).app).commands[cmd_name]
        return super().get_command(ctx, cmd_name)


app = typer.Typer(cls=LazyGroups, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sluice {importlib.metadata.version('sluice-diffusion')}")
        raise typer.Exit


@app.callback()
def sluice(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks; anywhere in the command.")] = False,  # noqa: ARG001
    log: Annotated[
        str | None,
        typer.Option(envvar="SLUICE_LOG", help="A file of JSON lines, or -: what happens, by run and shard."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(envvar="SLUICE_METRICS", help="PORT, or HOST:PORT, where Prometheus reads figures meanwhile."),
    ] = None,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", help="Say which Sluice this is.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Multi-condition diffusion, from raw images to composed pictures."""
    if log is None and metrics is None:
        return
    if context.invoked_subcommand == "serve":
        _hand_on(log, metrics)
        return
    from sluice.flows.observe.log import begin, log_to
    from sluice.flows.observe.metrics import serve_metrics

    if log is not None:
        log_to(log)
    if metrics is not None and os.environ.get("RANK", "0") == "0":
        serve_metrics(metrics)
    begin(sys.argv[1:])


def _hand_on(log: str | None, metrics: str | None) -> None:
    """Have what this process starts watched, each command as a run of its own, and not this process."""
    if log is not None:
        os.environ["SLUICE_LOG"] = log if log == "-" else str(Path(log).absolute())
    if metrics is not None:
        from sluice.flows.observe.metrics import host_and_port

        host_and_port(metrics)
        os.environ["SLUICE_METRICS"] = metrics


@app.command()
def demo(
    folder: Annotated[Path, typer.Option(help="Where photographs and results go.")] = Path("demo"),
) -> None:
    """Real photographs to webdataset shards and a page, on this machine."""
    from rich.console import Console

    from sluice.flows.demo import run_demo

    run_demo(folder, Console(soft_wrap=True, markup=False))


def command_line() -> NoReturn:
    """Run a command, and end this process: after the exit functions, and without tearing libraries down.

    Their threads crash there: Ray's where its start was cut short, Arrow's where they had only just started.
    """
    try:
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    if code != INTERRUPTED:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as the interpreter does
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that is closed is None
        try:
            stream.flush()
        except OSError:  # nobody reads, or there is no room
            code = code or FAILED
    os._exit(code)


def main() -> None:
    """Run a command. Exit 2 for the user's mistakes, 1 for failed runs, 130 when interrupted."""
    interrupts.listen()
    words = [word for word in sys.argv[1:] if word != "--debug"]  # Typer would take it before the command's name only
    if words != sys.argv[1:]:
        os.environ["SLUICE_DEBUG"] = "1"
    try:
        sys.exit(told(lambda: _run(words)))
    except (KeyboardInterrupt, typer.Abort):
        _end(SAID_INTERRUPTED, INTERRUPTED)
    except interrupts.Interrupted as error:
        _end(f"\nInterrupted. {error}", INTERRUPTED)
    except Exception as error:
        if interrupts.pressed():  # of a Ctrl-C in their own code, libraries make errors of their own
            _end(SAID_INTERRUPTED, INTERRUPTED)
        _explain(error)
        raise


def _run(words: Sequence[str]) -> Any:
    code = app(words, standalone_mode=False)  # Typer turns a Ctrl-C into its exit code, and does not exit
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _explain(error: Exception) -> None:
    """End with a readable paragraph; returns for an error that is ours to mend, and for any where tracebacks show."""
    if isinstance(error, typer.TyperException):
        if hasattr(error, "show"):  # a usage error: it prints the command's usage too
            error.show()
            sys.exit(USER_ERROR)
        _end(f"Error: {error}", USER_ERROR)
    if isinstance(error, SluiceError | OSError) and not os.environ.get("SLUICE_DEBUG"):
        _end(f"Error: {_in_words(error)}", getattr(error, "exit_code", USER_ERROR))


def _in_words(error: SluiceError | OSError) -> str:
    if isinstance(error, SluiceError) or not error.filename or not error.strerror:
        return str(error)
    return f"{error.filename} could not be read or written: {error.strerror}"


def _end(message: str, code: int) -> NoReturn:
    print(printable_lines(message), file=sys.stderr)
    sys.exit(code)
