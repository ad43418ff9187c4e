"""What pipelines of diffusers share: prompts in, DDIM, pictures out, judged where the pipeline has a safety checker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from diffusers import DDIMScheduler, DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.stable_diffusion import StableDiffusionPipelineOutput
from diffusers.utils.torch_utils import randn_tensor
from torch import Tensor

from sluice.inference.denoisers import Bound, guided, halves, noise_of
from sluice.inference.sampler import Moment, Step, ddim_step, moments, sample
from sluice.training.networks.latent_model import LatentModel


@dataclass(frozen=True)
class Sampling:
    """How pictures are sampled, in the words of diffusers' pipelines; `eta` 0 is deterministic, 1 ancestral."""

    num_inference_steps: int = 50
    guidance_scale: float = 7.5
    eta: float = 0.0
    generator: Any = None
    latents: Tensor | None = None
    output_type: str = "pil"
    return_dict: bool = True


class LatentPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Stable Diffusion's components; which denoiser they make is a method's.

    No offloading: the U-Net is called in two halves, which accelerate's hooks do not see.
    """

    _optional_components: ClassVar[list[str]] = ["safety_checker", "feature_extractor"]

    @property
    def model(self) -> LatentModel:
        """Its parts, and DDIM over its scheduler's noise."""
        scheduler = DDIMScheduler.from_config(self.scheduler.config)
        return LatentModel(self.tokenizer, self.text_encoder, self.unet, self.vae, scheduler)

    def told(self, prompt: str | Sequence[str], negative_prompt: str | Sequence[str], each: int) -> Tensor:
        """Text states of both halves `(2 batch, tokens, width)`, of `each` pictures of a prompt."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        against = [negative_prompt] if isinstance(negative_prompt, str) else list(negative_prompt)
        if len(against) not in (1, len(prompts)):
            raise ValueError(f"{len(prompts)} prompts take one negative prompt or as many, not {len(against)}")
        null, own = self.model.states(against), self.model.states(prompts)
        return halves(null if len(null) == 1 else null.repeat_interleave(each, 0), own.repeat_interleave(each, 0))

    def seen(self, images: Any, batch: int, size: tuple[int, int]) -> Tensor:
        """An image, or one for each of a batch, as levels `(batch, channels, height, width)`, 0 to 1."""
        processor = VaeImageProcessor(vae_scale_factor=self.model.scale, do_normalize=False, do_convert_rgb=True)
        levels: Tensor = processor.preprocess(images, *size).to(self.unet.device, self.unet.dtype)
        if batch % len(levels):
            raise ValueError(f"{len(levels)} images for {batch} pictures: give one, or one for each")
        return levels.repeat_interleave(batch // len(levels), 0)

    def pictures(self, model: Bound, batch: int, size: tuple[int, int], how: Sampling) -> Any:
        """Sampled of a method's two predictions, as diffusers' pipelines give pictures back."""
        path = moments(self.model.scheduler, how.num_inference_steps, self.unet.device)
        shape = (batch, self.unet.config.in_channels, *(side // self.model.scale for side in size))
        noise = {"generator": how.generator, "device": self.unet.device, "dtype": self.unet.dtype}
        start = randn_tensor(shape, **noise) if how.latents is None else how.latents.to(self.unet.device)
        with self.progress_bar(total=len(path)) as bar:
            step = _shown(
                ddim_step(guided(noise_of(model, self.model.scheduler), how.guidance_scale), how.eta), bar.update
            )
            latents = sample(step, start, path, lambda x, _: randn_tensor(x.shape, **noise))
        if how.output_type == "latent":
            return self._output(latents, None, how)
        levels, unsafe = self._judged(self.model.decode(latents) / 2 + 0.5)
        return self._output(_converted(levels, how.output_type), unsafe, how)

    def size(self, height: int | None, width: int | None) -> tuple[int, int]:
        """Of a picture, in pixels; raises ValueError for one that its latents cannot have."""
        usual = self.unet.config.sample_size * self.model.scale
        size = (height or usual, width or usual)
        scale = self.model.scale
        if any(side % scale for side in size):
            raise ValueError(f"height and width are multiples of {scale}, the pixels for a latent, and not {size}")
        return size

    def _judged(self, levels: Tensor) -> tuple[Tensor, list[bool] | None]:
        """Black where a safety checker finds a picture unsafe."""
        if getattr(self, "safety_checker", None) is None:
            return levels, None
        seen = self.feature_extractor(_converted(levels, "pil"), return_tensors="pt").pixel_values
        seen = seen.to(levels.device, self.safety_checker.dtype)
        judged: tuple[Tensor, list[bool]] = self.safety_checker(images=levels, clip_input=seen)
        return judged

    def _output(self, images: Any, unsafe: list[bool] | None, how: Sampling) -> Any:
        if not how.return_dict:
            return images, unsafe
        return StableDiffusionPipelineOutput(images=images, nsfw_content_detected=unsafe)


def _converted(levels: Tensor, output_type: str) -> Any:
    if output_type == "pt":
        return levels
    return VaeImageProcessor().postprocess(levels, output_type, do_denormalize=[False] * len(levels))


def _shown(step: Step, advance: Callable[[], Any]) -> Step:
    def shown(x: Tensor, at: Moment, z: Tensor) -> Tensor:
        after = step(x, at, z)
        advance()
        return after

    return shown
