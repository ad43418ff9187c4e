"""DWPose (Yang et al., ICCV Workshops 2023) as its two ONNX files: YOLOX finds people, RTMPose their points."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from sluice.preprocess.perception.letterbox import letterbox
from sluice.preprocess.perception.onnx import OnnxNetwork
from sluice.preprocess.perception.skeleton import COCO_POINTS, FEWEST_POINTS, Person, openpose_order, settle
from sluice.preprocess.perception.unusable_weights import UnusableWeights
from sluice.preprocess.record import Array

DETECTOR_FILE, POSE_FILE = "yolox_l.onnx", "dw-ll_ucoco_384.onnx"
DETECTOR_INPUT, DETECTOR_STRIDES, DETECTOR_GREY = 640, (8, 16, 32), 114
BOX_THRESHOLD, BOX_OVERLAP = 0.3, 0.45
POSE_INPUT = np.array([288, 384])
BOX_MARGIN = 1.25
BINS_A_PIXEL = 2
MEAN = np.array([123.675, 116.28, 103.53], np.float32)
DEVIATION = np.array([58.395, 57.12, 57.375], np.float32)
POINT_THRESHOLD = 0.3


class DwPose:
    """A folder with `yolox_l.onnx` and `dw-ll_ucoco_384.onnx`; called on an RGB uint8 image: everybody in it.

    Of its 133 points of the whole body the first 17, COCO's, are used. Points are in the image's pixels, the best seen
    person first; points below `threshold` count as unseen. Raises UnusableWeights where a file is missing.
    """

    def __init__(self, folder: Path, threshold: float = POINT_THRESHOLD, threads: int = 1, gpus: float = 0) -> None:
        for name in (DETECTOR_FILE, POSE_FILE):
            if not (folder / name).is_file():
                raise UnusableWeights(
                    f"'{folder}' lacks '{name}'; DWPose needs {DETECTOR_FILE} and {POSE_FILE} in one folder"
                )
        self.detector = OnnxNetwork(folder / DETECTOR_FILE, threads, gpus)
        self.pose = OnnxNetwork(folder / POSE_FILE, threads, gpus)
        self.threshold = threshold

    def __call__(self, image: Array) -> list[Person]:
        people = [openpose_order(self.points(image, box), self.threshold) for box in self.boxes(image)]
        return settle([person for person in people if person.seen.sum() >= FEWEST_POINTS], *image.shape[:2])

    def boxes(self, image: Array) -> Array:
        """The people's boxes `(n, 4)`: left, top, width and height in pixels, the surest first.

        YOLOX takes BGR from 0 to 255 as it is.
        """
        square, scales = letterbox(image, DETECTOR_INPUT, DETECTOR_GREY)
        found = self.detector(square[..., ::-1].transpose(2, 0, 1)[None])[0][0]
        centres, sizes = _decode_yolox(found[:, :4])
        scores = found[:, 4] * found[:, 5]
        boxes = np.concatenate([(centres - sizes / 2) / scales, sizes / scales], axis=1)
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), BOX_THRESHOLD, BOX_OVERLAP)
        people: Array = boxes[np.asarray(kept, int)]
        return people

    def points(self, image: Array, box: Array) -> Array:
        """COCO's points of the person in a box, `(17, 3)`: x, y in the image's pixels, confidence."""
        centre, reach = box[:2] + box[2:] / 2, box[2:] * BOX_MARGIN
        scale = float((POSE_INPUT / reach).min())
        placed = np.column_stack([np.eye(2) * scale, POSE_INPUT / 2 - centre * scale])
        crop = cv2.warpAffine(image, placed, tuple(POSE_INPUT.tolist()), flags=cv2.INTER_LINEAR)
        pixels = (crop.astype(np.float32) - MEAN) / DEVIATION
        along_x, along_y = (bins[0, :COCO_POINTS] for bins in self.pose(pixels.transpose(2, 0, 1)[None]))
        found = np.stack([along_x.argmax(axis=1), along_y.argmax(axis=1)], axis=1) / BINS_A_PIXEL
        confidence = np.minimum(along_x.max(axis=1), along_y.max(axis=1))
        return np.column_stack([(found - POSE_INPUT / 2) / scale + centre, confidence])


def _decode_yolox(raw: Array) -> tuple[Array, Array]:
    """Centres and sizes `(8400, 2)` in the detector's pixels from offsets in, and logarithms of, each cell's size."""
    corners, strides = [], []
    for stride in DETECTOR_STRIDES:
        cells = DETECTOR_INPUT // stride
        rows, columns = np.mgrid[:cells, :cells].reshape(2, -1)
        corners.append(np.stack([columns, rows], axis=1))
        strides.append(np.full((cells * cells, 1), stride))
    stride_of = np.concatenate(strides)
    return (raw[:, :2] + np.concatenate(corners)) * stride_of, np.exp(raw[:, 2:]) * stride_of
