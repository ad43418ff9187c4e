"""SFace (Zhong et al., 2021): an embedding of a face by which people are told apart, differentiable."""

from __future__ import annotations

from torch import Tensor

from sluice.preprocess.perception.faces import cropped, placed
from sluice.preprocess.perception.onnx_graph import OnnxGraph

SIZE = 112
EYES_NOSE_MOUTH = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where ArcFace, and networks after it, want the five points in a square of 112 pixels."""


class Sface(OnnxGraph):
    """An OnnxGraph; see `of_faces`. Raises UnusableWeights."""

    def of_faces(self, pictures: Tensor, points: Tensor) -> Tensor:
        """Embeddings `(batch, 128)`, of no certain length, of pictures `(batch, 3, height, width)`, values -1 to 1.

        `points` `(batch, 5, 2)` are a face's in each, in pixels.
        """
        places = placed(points, points.new_tensor(EYES_NOSE_MOUTH))
        found: Tensor = self(cropped((pictures + 1) * 127.5, places, SIZE))
        return found
