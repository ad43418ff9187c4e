"""The processes of a running command, by what they do: each can be killed alone."""

from __future__ import annotations

import psutil

from tests.flows.runs import RAY_AGENTS, Command, command_line

IDLE = ("ray::IDLE", *RAY_AGENTS)


def raylets(command: Command) -> list[psutil.Process]:
    """Of the Ray that a command has started: one, once it is there."""
    return [own for own in command.family() if "/raylet/raylet " in command_line(own)]


def workers(command: Command) -> list[psutil.Process]:
    """Actors and tasks of Ray that something was given to do."""
    lines = {own: command_line(own) for own in command.family()}
    return [own for own, line in lines.items() if line.startswith("ray::") and not line.startswith(IDLE)]


def prefect_servers(command: Command) -> list[psutil.Process]:
    """The server that a command has started for itself."""
    return [own for own in command.family() if " -m sluice.flows.prefect_server " in command_line(own)]
