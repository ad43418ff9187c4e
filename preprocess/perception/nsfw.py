"""How unsafe a picture is: Yahoo's open-nsfw as an ONNX file, or any image classifier in transformers' format."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from sluice.infra.weights.pretrained import load, load_network
from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch

RESIZED = 256
INPUT = 224
MEAN_BGR = np.array([104, 117, 123], np.float32)


def open_nsfw(network: OnnxNetwork, image: Array) -> float:
    """The probability, 0 to 1, that an RGB uint8 image of any size shows nudity.

    The network sees the middle 224 x 224 of the image stretched to 256 x 256, as BGR minus the training set's mean.
    """
    stretched = Image.fromarray(image).resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
    margin = (RESIZED - INPUT) // 2
    crop = np.asarray(stretched, np.float32)[margin : margin + INPUT, margin : margin + INPUT]
    return float(network((crop[..., ::-1] - MEAN_BGR)[None])[0][0, 1])


class Classifier:
    """An image classifier in transformers' format, and which of its labels mean unsafe.

    Raises ValueError, naming the labels that it knows, where one asked for is not among them.
    """

    def __init__(self, folder: Path, unsafe: Collection[str], device: torch.device, dtype: torch.dtype) -> None:
        from transformers import AutoImageProcessor, AutoModelForImageClassification

        # The PIL processor, also where torchvision is installed: the two round differently.
        self.processor = load(AutoImageProcessor, folder, backend="pil")
        self.network: Any = load_network(AutoModelForImageClassification, folder, dtype=dtype).to(device)
        known = {label.lower(): int(index) for index, label in self.network.config.id2label.items()}
        unknown = [label for label in unsafe if label.lower() not in known]
        if unknown or not unsafe:
            raise ValueError(
                f"the classifier in '{folder}' has no label {', '.join(unknown) or '(none was named)'}; its labels are "
                f"{', '.join(known)}; name those that mean unsafe in `stages.safety.unsafe_labels`"
            )
        self.unsafe = sorted({known[label.lower()] for label in unsafe})

    def __call__(self, image: Array) -> float:
        """The sum of the unsafe labels' probabilities, 0 to 1, for an RGB uint8 image."""
        import torch

        inputs = self.processor(images=image, return_tensors="pt").to(self.network.device, self.network.dtype)
        with torch.inference_mode():
            probabilities = self.network(**inputs).logits.float().softmax(dim=1)
        return float(probabilities[0, self.unsafe].sum().clamp(max=1))
