"""The library versions that can change bytes; written into every commit."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = (
    "numpy", "opencv-python-headless", "simplejpeg", "pillow", "scikit-image", "onnxruntime", "torch",
    "segment-anything", "transformers", "diffusers",
)  # fmt: skip


@cache
def library_versions() -> dict[str, str]:
    """Name -> version of Python and of every library that computes or encodes a field."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions
