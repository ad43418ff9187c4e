"""ViTPose (Xu et al., NeurIPS 2022) through transformers: a detector finds the people, then each is looked at alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sluice.infra.weights.pretrained import ModelFolderError, load, load_network
from sluice.preprocess.perception.batch import in_batches
from sluice.preprocess.perception.skeleton import COCO_POINTS, FEWEST_POINTS, Person, openpose_order, settle
from sluice.preprocess.record import Array

if TYPE_CHECKING:
    import torch

POINT_THRESHOLD = 0.3
BOX_THRESHOLD = 0.5


class VitPose:
    """ViTPose and a person detector; called on an RGB uint8 image it returns everybody in it.

    Both are folders in transformers' format; the detector is any with a class `person` (RT-DETR, DETR, YOLOS) and stays
    in fp32. Points are in the image's pixels, the best seen person first; points below `threshold` count as unseen.
    Raises ModelFolderError where the detector knows no person, or the pose network has not COCO's 17 points.
    """

    def __init__(
        self,
        pose: Path,
        detector: Path,
        device: torch.device,
        dtype: torch.dtype,
        batch_size: int = 1,
        threshold: float = POINT_THRESHOLD,
        box_threshold: float = BOX_THRESHOLD,
    ) -> None:
        from transformers import AutoImageProcessor, AutoModelForObjectDetection, VitPoseForPoseEstimation

        # The PIL processors, also where torchvision is installed: the two round differently.
        self.pose_processor = load(AutoImageProcessor, pose, backend="pil")
        self.detector_processor = load(AutoImageProcessor, detector, backend="pil")
        self.pose: Any = load_network(VitPoseForPoseEstimation, pose, dtype=dtype).to(device)
        self.detector: Any = load_network(AutoModelForObjectDetection, detector).to(device)
        self.person = _person_class(self.detector.config, detector)
        if self.pose.config.num_labels != COCO_POINTS:
            raise ModelFolderError(f"{pose} finds {self.pose.config.num_labels} points; expected COCO's {COCO_POINTS}")
        self.device, self.dtype, self.batch_size = device, dtype, batch_size
        self.threshold, self.box_threshold = threshold, box_threshold

    def __call__(self, image: Array) -> list[Person]:
        boxes = self.boxes(image)
        if not len(boxes):
            return []
        crops = self.pose_processor(images=image, boxes=[boxes], return_tensors="np")["pixel_values"]
        heats = np.stack(in_batches(list(crops), self.batch_size, lambda batch, _: self._heats(batch)))
        people = [openpose_order(points, self.threshold) for points in self._points(heats, boxes)]
        return settle([person for person in people if person.seen.sum() >= FEWEST_POINTS], *image.shape[:2])

    def boxes(self, image: Array) -> Array:
        """The people's boxes `(n, 4)`: left, top, width and height in pixels, within the image, the surest first."""
        import torch

        inputs = self.detector_processor(images=image, return_tensors="pt").to(self.device)
        with torch.inference_mode():
            output = self.detector(**inputs)
        found = self.detector_processor.post_process_object_detection(
            output, threshold=self.box_threshold, target_sizes=[image.shape[:2]]
        )[0]
        people = found["labels"] == self.person
        surest = found["scores"][people].argsort(descending=True, stable=True)
        corners = found["boxes"][people][surest].float().cpu().numpy().reshape(-1, 2, 2)
        corners = np.clip(corners, 0, [image.shape[1], image.shape[0]])
        boxes = np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)
        return boxes[(boxes[:, 2:] >= 1).all(axis=1)]

    def _heats(self, crops: Array) -> Array:
        import torch

        # Networks trained on several data sets at once ("plus") must be told which one: COCO is the first.
        coco = torch.zeros(len(crops), dtype=torch.long, device=self.device)
        with torch.inference_mode():
            pixels = torch.from_numpy(crops).to(self.device, self.dtype)
            heats: Array = self.pose(pixels, dataset_index=coco).heatmaps.float().cpu().numpy()
        return heats

    def _points(self, heats: Array, boxes: Array) -> list[Array]:
        """COCO's points of each person `(17, 3)`: x, y in the image's pixels, confidence."""
        import torch
        from transformers.models.vitpose.modeling_vitpose import VitPoseEstimatorOutput

        output = VitPoseEstimatorOutput(heatmaps=torch.from_numpy(heats))
        people = self.pose_processor.post_process_pose_estimation(output, boxes=[boxes])[0]
        return [np.column_stack([person["keypoints"].numpy(), person["scores"].numpy()]) for person in people]


def _person_class(config: Any, folder: Path) -> int:
    classes = {name.lower(): int(index) for index, name in config.id2label.items()}
    if "person" not in classes:
        raise ModelFolderError(
            f"the detector in {folder} has no class `person`, only {', '.join(sorted(classes)[:10])}"
        )
    return classes["person"]
