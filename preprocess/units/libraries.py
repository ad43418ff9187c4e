"""The versions that can change bytes, of code and libraries; written into every commit."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from sluice.infra.code import code_version

LIBRARIES = (
    "numpy", "opencv-python-headless", "simplejpeg", "pillow", "scikit-image", "onnxruntime", "torch",
    "segment-anything", "transformers", "diffusers",
)  # fmt: skip


@cache
def library_versions() -> dict[str, str]:
    """Name -> version of Sluice, Python and every library that computes or encodes a field."""
    versions = {"sluice": code_version(), "python": platform.python_version(), "machine": platform.machine()}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "absent"
    return versions
