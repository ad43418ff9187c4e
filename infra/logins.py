"""Logins in URLs: `https://user:password@host` is shown nowhere."""

from __future__ import annotations

import re

LOGIN = re.compile(
    r"""(?<=://)(?:
    [^/?#\s'"]*@(?![/?#])
    | [^/?#\s'":@\[]*:(?!\d+[/?#])[^\s'"]*?@(?![/?#])  # a password in which `/`, `?` or `#` is not escaped; no port
    | (?<=s3://)[^/?#\s'":@\[]*:[^\s'"]*?@(?![/?#])  # a bucket has none
    )""",
    re.VERBOSE,
)


def without_logins(text: str) -> str:
    """A text, such as what a library says, without the logins of the URLs in it."""
    return LOGIN.sub("", text)
