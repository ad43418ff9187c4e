"""The failures that a user can mend."""

from __future__ import annotations


class SluiceError(Exception):
    """A failure that a user can mend: one readable paragraph."""
