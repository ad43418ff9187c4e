"""Which code this is."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from functools import cache
from pathlib import Path

CODE = "SLUICE_CODE"
"""Where a job is told which code travelled with it."""
CHANGED = ", changed"
CHECKOUT = Path(__file__).parents[1]


@cache
def code_version() -> str:
    """The installed version, and of a git checkout its commit, marked `changed` where tracked files differ from it."""
    if told := os.environ.get(CODE):
        return told
    version = importlib.metadata.version("sluice-diffusion")
    if not (CHECKOUT / ".git").exists():
        return version
    asked = ["git", "-C", str(CHECKOUT), "describe", "--always", "--abbrev=12", "--exclude=*", f"--dirty={CHANGED}"]
    try:
        commit = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout of another user's
        return version
    return f"{version}, commit {commit}"
