"""What is measured of networks and not of pictures, kept by a fingerprint: a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sluice.infra.code import CHANGED, code_version
from sluice.infra.whole import write_whole

FOLDER = "measured"


def kept(place: Path, told: Any, make: Callable[[], Any]) -> Any:
    """What `make` gives, plain values, made once of all that is `told` and by this code; in `place/measured`.

    Code that differs from its commit may measure something else each time: of it nothing is kept.
    """
    code = code_version()
    if code.endswith(CHANGED):
        return make()
    fingerprint = hashlib.sha256(json.dumps([told, code], sort_keys=True).encode()).hexdigest()[:16]
    file = place / FOLDER / f"{fingerprint}.json"
    try:
        return json.loads(file.read_bytes())[fingerprint]
    except (FileNotFoundError, ValueError, RecursionError, TypeError, KeyError):  # a damaged one is made again
        made = make()
        write_whole(file, json.dumps({fingerprint: made}))
        return made
