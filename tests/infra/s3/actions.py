"""What a storage does, each by the method that it asks with first."""

from __future__ import annotations

from collections.abc import Callable

from sluice.infra.storage import Storage

ACTIONS: dict[str, tuple[str, Callable[[Storage], object]]] = {
    "write": ("PUT", lambda s3: s3.write("b", b"x" * 100)),
    "read": ("GET", lambda s3: s3.read("a")),
    "list": ("GET", lambda s3: [*s3.list()]),
    "examine": ("HEAD", lambda s3: s3.head("a")),
    "delete": ("POST", lambda s3: s3.delete(["a"])),
}
