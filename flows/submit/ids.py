"""Names of jobs on a cluster."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from sluice.flows.submit.sight import CannotSubmit

LONGEST = 150
ID = re.compile(rf"\w[\w.-]{{0,{LONGEST - 1}}}")
"""What URLs, shells and listings take as it is."""


def checked_id(id: str) -> str:
    """The id itself. Raises CannotSubmit for one that cannot be asked for again."""
    if ID.fullmatch(id):
        return id
    raise CannotSubmit(
        f"--id {id!r} is no id of a job: it begins with a letter, a digit or _, and has up to {LONGEST} of these, dots "
        "and -"
    )


def new_id(command: str) -> str:
    """An id that nobody has: what it does, and when."""
    return f"{command.replace(' ', '-')}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
