"""The reference picture: an IP-Adapter on the U-Net, in the format that diffusers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from sluice.infra.weights.pretrained import load_network
from sluice.training.tabletop.draws import Draws
from sluice.training.tabletop.latent_part import LatentPart
from sluice.training.tabletop.noise import noise_loss, noised, sampled, sd_schedule, with_null
from sluice.training.tabletop.recipe import Batch
from sluice.training.tabletop.seen import pictured
from sluice.training.tabletop.text_encoder import WIDTH

TOKENS = 4
NULL_CAPTIONS, NULL_PICTURES = 0.5, 0.1
"""Without a caption, half of the time, only the picture can tell."""
WEIGHTS = "ip_adapter.safetensors"


class Reference(LatentPart):
    """Trains the projection of a picture's embedding to four tokens, and the keys and values of these, alone."""

    name = "ip_adapter"
    needs = ("vae", "text_encoder", "image_encoder", "unet")
    seen = staticmethod(pictured)
    sees_pictures = True

    def network(self, models: Path) -> nn.Module:
        network: Any = load_network(UNet2DConditionModel, models, subfolder="unet", dtype=torch.float32)
        network.requires_grad_(False)
        network._load_ip_adapter_weights([fresh_adapter(network)])
        for part in (*_adapted(network).values(), network.encoder_hid_proj):
            part.requires_grad_(True)
        unet: nn.Module = network
        return unet

    def losses(self, network: Any, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        seen = noised(sampled(batch, draws), sd_schedule(), draws)
        states = with_null(batch["states"], self.null, NULL_CAPTIONS, draws)
        shown = draws.uniform("picture", (len(states), 1)) >= NULL_PICTURES
        embeds = (batch["embeds"] * shown)[:, None]
        predicted = network(seen.noisy, seen.steps, states, added_cond_kwargs={"image_embeds": [embeds]}).sample
        return noise_loss(predicted, seen)

    def save(self, network: Any, models: Path) -> None:
        """One file, `image_proj.*` and `ip_adapter.*`, as the published IP-Adapters are."""
        projection = network.encoder_hid_proj.image_projection_layers[0]
        tensors = {
            f"image_proj.{theirs}.{kind}": getattr(getattr(projection, ours), kind)
            for theirs, ours in (("proj", "image_embeds"), ("norm", "norm"))
            for kind in ("weight", "bias")
        }
        for number, part in _adapted(network).items():
            tensors[f"ip_adapter.{number}.to_k_ip.weight"] = part.to_k_ip[0].weight
            tensors[f"ip_adapter.{number}.to_v_ip.weight"] = part.to_v_ip[0].weight
        folder = models / self.name
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {name: tensor.detach().half().cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS
        )


def fresh_adapter(unet: Any) -> dict[str, dict[str, Tensor]]:
    """An untrained adapter: a picture's keys and values begin as a text's are made."""
    projection = nn.Linear(WIDTH, TOKENS * WIDTH)
    keys = {}
    for number, name in enumerate(unet.attn_processors):
        if "attn2" in name:
            attention = unet.get_submodule(name.removesuffix(".processor"))
            keys[f"{number}.to_k_ip.weight"] = attention.to_k.weight.clone()
            keys[f"{number}.to_v_ip.weight"] = attention.to_v.weight.clone()
    ones, zeros = torch.ones(WIDTH), torch.zeros(WIDTH)
    image = {"proj.weight": projection.weight, "proj.bias": projection.bias, "norm.weight": ones, "norm.bias": zeros}
    return {"image_proj": image, "ip_adapter": keys}


def _adapted(unet: Any) -> dict[int, Any]:
    """The attention processors that see a picture, by their place among all."""
    return {number: part for number, part in enumerate(unet.attn_processors.values()) if hasattr(part, "to_k_ip")}
