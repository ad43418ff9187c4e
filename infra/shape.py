"""JSON that Sluice wrote, held to its shape as it is read: a wrong value is told here, and not where it is used."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ValidationError


def read_shaped(shape: type[BaseModel], data: bytes | str) -> dict[str, Any]:
    """What it says, with all that the shape does not name. Raises ValueError, which names the first wrong value."""
    try:
        shape.model_validate_json(data, strict=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        said = wrong["msg"].removeprefix("Input ")
        raise ValueError(": ".join(filter(None, (".".join(map(str, wrong["loc"])), said)))) from error
    read: dict[str, Any] = json.loads(data)
    return read
