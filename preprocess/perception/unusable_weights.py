"""The one error of weights that cannot be opened, whatever format they are in."""

from __future__ import annotations

from sluice.infra.errors import SluiceError


class UnusableWeights(SluiceError):
    """A file or folder does not hold the network that a stage needs; no further attempt would find it there."""
