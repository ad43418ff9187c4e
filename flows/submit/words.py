"""The words of a command that is to run on a cluster: understood here, before anything is sent."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sluice.flows.submit.clusters import Cluster
from sluice.flows.submit.contents import config_of, jobs_in
from sluice.flows.submit.readable import refuse_logins, refuse_unreadable
from sluice.flows.submit.sight import CannotSubmit, Sight
from sluice.infra.settings import nearest

if TYPE_CHECKING:
    from sluice.flows.compose.tree.job import Job

RUN = ("dataset", "train", "compose", "evaluate")
PLACES = {"out", "data", "trained", "composed", "to", "place", "results", "checkpoints", "page"}
"""Options that name where something lies; others are names unless a folder of this machine is called so."""
FILES = {"keys", "absent", "table"}
"""Options that name a file of this machine."""
SETTINGS = {"settings", "set_"}
OF_SOURCE = {"build", "plan"}
"""Commands that read a data set's source; others are of what was made."""


@dataclass(frozen=True)
class Asked:
    """A command as it will run there: its words, and of this machine's files that it names where each comes.

    `options` are those of `sluice` itself, before the command.
    """

    words: tuple[str, ...]
    files: dict[Path, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The command without its options: `train micontrolnet-1`."""
        return " ".join(self.words[: 2 if self.words[0] in ("dataset", "train") else 1])


def understood(words: Sequence[str], cluster: Cluster, name: str, alone: bool) -> Asked:
    """What a user would type, as it will run on a cluster of this name.

    `alone` says that the command has a node's CPUs or GPUs for itself. Raises CannotSubmit, ConfigError, and what the
    command line raises for words that it does not know.
    """
    if not words or words[0] not in RUN:
        asked = words[0] if words else ""
        raise CannotSubmit(f"submit takes a command of {', '.join(RUN)}, not '{asked}'; {nearest(asked, RUN)}")
    refuse_logins(shlex.join(words))
    context, sight = parsed(words), Sight(cluster, name)
    for option, value in _named(context):
        _look(option, value, sight, by_name=words[0] == "dataset")
    refuse_unreadable(words[0], context.info_name, context.params)
    _look_inside(context.params, sight, context.info_name in OF_SOURCE)
    sight.refuse_many()
    over = _on_the_cluster(context.params, alone)
    return Asked((*(_renamed(word, sight.files) for word in words), *over), sight.files)


def watched(log: str | None, metrics: str | None, cluster: Cluster) -> tuple[str, ...]:
    """The options of `sluice` itself by which a job is watched. Raises CannotSubmit, ConfigError."""
    options: tuple[str, ...] = ()
    if log is not None:
        if log != "-" and ("://" in log or not cluster.sees(log)):
            among = f", or a file under {' or '.join(cluster.shared)}" if cluster.shared else ""
            raise CannotSubmit(f"--log {log}: the job writes it, line by line: give -, for `sluice logs`{among}")
        options += ("--log", log)
    if metrics is not None:
        from sluice.flows.observe.metrics import host_and_port

        host_and_port(metrics)
        options += ("--metrics", metrics)
    return options


def parsed(words: Sequence[str]) -> Any:
    """The context of the innermost command, parsed and not run.

    Raises CannotSubmit for words that only ask for help, and what the command line raises for others that it does not
    know.
    """
    from sluice.flows.cli import app

    if "--help" in words:
        raise CannotSubmit(f"`{shlex.join(words)}` says what there is and runs nothing: type it here")
    command: Any = typer.main.get_command(app)
    context = command.make_context("sluice", list(words))
    while rest := [*context._protected_args, *context.args] if hasattr(command, "resolve_command") else []:
        own, command, rest = command.resolve_command(context, rest)
        if not rest and getattr(command, "no_args_is_help", False):
            raise CannotSubmit(
                f"`{shlex.join(words)}` is no whole command: one of {', '.join(command.commands)} follows"
            )
        context = command.make_context(own, rest, parent=context)
    return context


def _named(context: Any) -> Iterator[tuple[str, str]]:
    """What options of the command say, by their names, and where they write unless told otherwise."""
    for parameter in context.command.params:
        value = context.params.get(parameter.name)
        given = context.get_parameter_source(parameter.name).name != "DEFAULT"
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str | Path) and (given or parameter.name in PLACES) and parameter.name not in SETTINGS:
                yield parameter.name, str(one)


def _look(option: str, value: str, sight: Sight, by_name: bool) -> None:
    """Refuse what is of this machine alone, but take files along; a data set may be meant `by_name`."""
    path = Path(value)
    if option in FILES and not path.is_file():
        raise CannotSubmit(f"--{option} {value}: there is no such file here to take along")
    if (option not in PLACES or _is_prompts(option, value)) and path.is_file():
        sight.take(path, f"files/{len(sight.files)}/{path.name}")
    elif (path.is_dir() and not _is_ready(option, path)) or (
        option in PLACES and not (by_name and _is_name(option, value))
    ):
        sight.refuse_unseen(f"--{option} {value}", value)


def _is_prompts(option: str, value: str) -> bool:
    """Whether a file of prompts and boxes is meant in a data set's place."""
    return option == "data" and value.endswith(".json")


def _is_ready(option: str, path: Path) -> bool:
    """Whether a ready configuration is meant, whatever lies here under its name."""
    from sluice.flows.configs import find_config

    return option == "config" and find_config(path) != path


def _is_name(option: str, value: str) -> bool:
    """Whether a data set is meant by its name in another option's place."""
    return option == "data" and "/" not in value


def _look_inside(given: dict[str, Any], sight: Sight, of_source: bool) -> None:
    """Look at what a configuration or a job names; at the source only for commands that read it."""
    if given.get("job") is not None:
        for job in jobs_in(given):
            _look_inside_job(job, given["job"], sight)
    elif {"config", "settings", "source"} <= given.keys():
        config = config_of(given)
        sight.refuse_unseen(f"out ({config.out})", config.out)
        uri = str(config.source.get("uri", ""))
        if of_source and ("/" in uri or Path(uri).exists() or config.source.get("kind") == "folder"):
            sight.refuse_unseen(f"source ({uri})", uri)
    elif "out" in given and given["out"] is None and not _is_placed(given):
        raise CannotSubmit(f"say with --out where the results go: {sight.seen}")


def _is_placed(given: dict[str, Any]) -> bool:
    """Whether a data set is named with where it lies, by a command that writes there."""
    from sluice.flows.dataset.named import PLACED

    return not given.keys().isdisjoint({"alias", "keys"}) and PLACED.fullmatch(given["data"]) is not None


def _look_inside_job(job: Job, file: Path, sight: Sight) -> None:
    """Take its images along, and refuse models that are folders of this machine."""
    from sluice.flows.compose.run.pictures import named
    from sluice.flows.compose.tree.images import images_of
    from sluice.flows.compose.tree.weights import WEIGHTS

    for image in images_of(job):
        if isinstance(image, Path) and image.is_absolute():
            sight.refuse_unseen(f"{image}, a condition of the job,", str(image))
        elif isinstance(image, Path):
            sight.take_beside(file, image)
    for name in sorted(named(job.model_dump(mode="json"), *WEIGHTS, "safety")):
        if Path(name).is_dir():
            sight.refuse_unseen(f"{name}, a model of the job,", name)


def _on_the_cluster(given: dict[str, Any], alone: bool) -> list[str]:
    """That a command's actors and processes are the cluster's."""
    if "ray" in given and not given["ray"] and not alone:
        raise CannotSubmit(
            "a training needs machines: give --ray N, and it runs as so many processes, or --gpus N for one process "
            "with these"
        )
    if "settings" in given and not any(own.startswith("ray_address=") for own in given["settings"] or ()):
        return ["--set", "ray_address=auto"]
    takes = "ray_address" in given and not given["ray_address"] and (given.get("ray") or "ray" not in given)
    return ["--ray-address", "auto"] if takes else []


def _renamed(word: str, files: dict[Path, str]) -> str:
    """A word that is a file, or an option with it in one word: `--config=FILE`, `-cFILE`."""
    start = word.find("=") + 1 if word.startswith("--") else 2 * word.startswith("-")
    return word[:start] + files.get(Path(word[start:]), word[start:])
