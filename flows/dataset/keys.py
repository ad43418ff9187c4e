"""Keys as a user gives them: in the command, or one a line of a file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sluice.infra.settings import ConfigError
from sluice.preprocess.planning.index import KEY_DIGITS

KEY = re.compile(f"[0-9a-f]{{{KEY_DIGITS}}}")


def read_keys(file: Path | None, given: Sequence[str] = ()) -> list[str]:
    """The keys of a file, with those given beside it, sorted and each once. Raises ConfigError."""
    found = list(given)
    if file is not None:
        try:
            lines = file.read_text("utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is no file of keys, one a line: {error}") from error
        found += [line.strip() for line in lines if line.strip()]
        if not found:
            raise ConfigError(f"{file} holds no keys; they go there one a line")
        _check(found, str(file))
    _check(found, "--key")
    return sorted(set(found))


def _check(keys: Iterable[str], where: str) -> None:
    listed = list(keys)
    bad = [key for key in listed if KEY.fullmatch(key) is None]
    if bad:
        raise ConfigError(
            f"{where}: '{bad[0]}' is no key; a key is {KEY_DIGITS} hex digits in small letters, the beginning of the "
            "SHA-256 of the original file, one a line"
        )
    if not listed:
        raise ConfigError(f"{where}: no keys are given; give --keys FILE with one key a line, or --key KEY")
