from __future__ import annotations

import pytest

from sluice.infra.weights.catalogue import Hub, Package, catalogue, entry, readable_size

PACKAGED = (
    "clip-bpe face-landmarks face-parsing hed inception-fid lpips-alex lpips-vgg mediapipe-face-mesh mediapipe-pose "
    "mediapipe-pose-detector mediapipe-selfie mi-gan mobile-sam mobilenet-v2 niqe open-nsfw openpose-thin sface u2net "
    "u2net-small yunet"
)


def test_what_package_indexes_carry_is_pinned_by_digest_and_size() -> None:
    packaged = sorted(name for name, info in catalogue().items() if isinstance(info.origin, Package))
    assert " ".join(packaged) == PACKAGED
    for name in packaged:
        assert entry(name).sha256 is not None, name
        assert entry(name).size is not None, name


FULL_SIZE = [
    "sam-vit-b",
    "sam-vit-l",
    "sam-vit-h",
    "dpt-large",
    "depth-anything-v2-small",
    "depth-anything-v2-base",
    "depth-anything-v2-large",
    "dwpose",
    "clip-vit-l14",
    "sd15",
    "sd15-inpaint",
    "gligen",
    "controlnet-canny",
    "controlnet-hed",
    "controlnet-depth",
    "controlnet-openpose",
    "controlnet-seg",
    "ip-adapter-sd15",
]


@pytest.mark.parametrize("name", FULL_SIZE)
def test_full_size_models_are_named(name: str) -> None:
    assert isinstance(entry(name).origin, Hub)


def test_pickles_are_always_converted() -> None:
    for name, info in catalogue().items():
        files = [info.origin.member] if isinstance(info.origin, Package) else list(info.origin.files)
        pickled = any(file.endswith((".pth", ".ckpt", ".bin", ".pt")) for file in files)
        assert (info.pickled is not None) == (pickled and info.form != "torchscript"), name


@pytest.mark.parametrize(("size", "text"), [(None, "?"), (11850, "12 kB"), (4574861, "4.6 MB"), (2564550879, "2.6 GB")])
def test_sizes_are_readable(size: int | None, text: str) -> None:
    assert readable_size(size) == text
