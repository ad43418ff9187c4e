"""The failures that a user can mend."""

from __future__ import annotations


class SluiceError(Exception):
    """A failure that a user can mend: one readable paragraph.

    `exit_code` is what the command line ends with: 2 for the user's mistakes, 1 for runs that failed.
    """

    exit_code = 2
