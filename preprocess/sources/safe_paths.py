"""Names that others chose, judged before they are used as paths."""

from __future__ import annotations


def unsafe_path(name: str) -> str | None:
    """What is wrong with a relative path that came from a tar or a table, or None."""
    if not name:
        return "an empty name"
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        return "an absolute path or one with a drive or backslashes"
    if ".." in name.split("/"):
        return "a path that climbs out with '..'"
    if "\0" in name:
        return "a name with a NUL in it"
    return None if printable(name) == name else "a name that is not UTF-8"


def printable(name: str) -> str:
    """The name as valid text: bytes that are not UTF-8 are written as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
