"""SAM's mask decoder for many points at once: the same function of the same weights, less work.

segment-anything decodes every point as if it were alone. Three things need not be done again and again:

- The first layer sees the same image embedding whatever the point, so its keys and values are projected once an image.
- Later layers hold an image embedding for each point, some 4,096 tokens against the point's seven. For such lopsided
  attention a projection of the many is moved over to the few: q . (W x) = (W' q) . x, and sum a (W x) = W (sum a x).
- Masks are upscaled only for points whose predicted quality is wanted: `predict` gives quality, `upscale` the masks.

Equal to segment-anything's up to rounding. Axes: I images, P points, B = I * P, N tokens of a point (quality, one a
mask, the point, padding), M tokens of an image, C channels, H heads, D channels of a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, unflatten


@dataclass(frozen=True)
class Shared:
    """What all points of an image share: the first layer's `image` (I, M, C), with the `place` of every token
    (1, M, C) and with it added, `placed`; the keys and values (I, H, M, D) that its tokens attend to."""

    image: Tensor
    place: Tensor
    placed: Tensor
    keys: Tensor
    values: Tensor

    def of(self, images: slice) -> Shared:
        """The same of some of the images."""
        return Shared(self.image[images], self.place, self.placed[images], self.keys[images], self.values[images])


@dataclass(frozen=True)
class Decoded:
    """What the transformer made of every point: `quality` (I, P, masks) is the predicted intersection over union,
    `masks` (I, P, masks, C) the mask tokens, `image` (I, P, M, C) the image as each point sees it."""

    quality: Tensor
    masks: Tensor
    image: Tensor

    def images(self) -> Iterator[Decoded]:
        """The same of each image alone, without the first axis."""
        for quality, masks, image in zip(self.quality, self.masks, self.image, strict=True):
            yield Decoded(quality, masks, image)


def share(sam: Any, embeddings: Tensor) -> Shared:
    """Prepare embeddings `(I, C, height, width)` for any number of points."""
    image = embeddings.flatten(2).transpose(1, 2) + sam.prompt_encoder.no_mask_embed.weight
    place = sam.prompt_encoder.get_dense_pe().flatten(2).transpose(1, 2)
    attention = sam.mask_decoder.transformer.layers[0].cross_attn_token_to_image
    keys, values = _split(attention.k_proj(image + place), attention), _split(attention.v_proj(image), attention)
    return Shared(image, place, image + place, keys, values)


def predict(sam: Any, shared: Shared, points: Tensor) -> Decoded:
    """Decode points `(I, P, 2)`, x and y in pixels of the network's input.

    Every point gives the three masks that segment-anything calls `multimask_output`.
    """
    images, count = points.shape[:2]
    decoder = sam.mask_decoder
    tokens, image = _transform(sam, shared, _prompt_tokens(sam, points.flatten(0, 1)))
    quality = decoder.iou_prediction_head(tokens[:, 0])[:, 1:]
    return Decoded(*(unflatten(t, 0, (images, count)) for t in (quality, tokens[:, 1:], image)))


def upscale(sam: Any, masks: Tensor, image: Tensor) -> Tensor:
    """Mask logits `(B, masks, 4 height, 4 width)` from mask tokens `(B, masks, C)` and images `(B, M, C)`."""
    decoder = sam.mask_decoder
    first, norm, activation, second, last = decoder.output_upscaling
    # Channels stay innermost in memory from here on, as `image` has them: no transposition, and fast norms.
    pixels = unflatten(image.transpose(1, 2), 2, sam.prompt_encoder.image_embedding_size)
    x = first(pixels).permute(0, 2, 3, 1)
    x = activation(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
    x = last(second(x.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)
    heads = decoder.output_hypernetworks_mlps[1:]
    weights = torch.stack([head(masks[:, i]) for i, head in enumerate(heads)], 1)
    return unflatten(weights @ x.flatten(1, 2).transpose(1, 2), 2, x.shape[1:3])


def _prompt_tokens(sam: Any, points: Tensor) -> Tensor:
    """The tokens `(B, N, C)` of single foreground points `(B, 2)`."""
    labels = torch.ones(len(points), 1, dtype=torch.int, device=points.device)
    prompt, _ = sam.prompt_encoder(points=(points[:, None], labels), boxes=None, masks=None)
    learnt = torch.cat([sam.mask_decoder.iou_token.weight, sam.mask_decoder.mask_tokens.weight])
    return torch.cat([learnt.expand(len(points), -1, -1), prompt], 1)


def _transform(sam: Any, shared: Shared, prompt: Tensor) -> tuple[Tensor, Tensor]:
    """The two-way transformer: tokens of quality and of the masks but the first `(B, 1 + masks, C)`, images
    `(B, M, C)`."""
    transformer = sam.mask_decoder.transformer
    first, *others = transformer.layers
    tokens = _exchange(first, prompt, prompt)
    tokens = first.norm2(tokens + _tokens_from_shared(first.cross_attn_token_to_image, tokens + prompt, shared))
    tokens, image = _answer(first, tokens, prompt, shared.image, shared.placed)
    for layer in others:
        placed = image + shared.place
        tokens = _exchange(layer, tokens, prompt)
        seen = _tokens_from_image(layer.cross_attn_token_to_image, tokens + prompt, placed, image)
        tokens, image = _answer(layer, layer.norm2(tokens + seen), prompt, image, placed)
    used = [0, *range(2, sam.mask_decoder.num_mask_tokens + 1)]  # the first mask token is for `multimask_output=False`
    tokens, prompt = tokens[:, used], prompt[:, used]
    seen = _tokens_from_image(transformer.final_attn_token_to_image, tokens + prompt, image + shared.place, image)
    return transformer.norm_final_attn(tokens + seen), image


def _exchange(layer: Any, tokens: Tensor, prompt: Tensor) -> Tensor:
    """Tokens `(B, N, C)` attend to each other."""
    if layer.skip_first_layer_pe:
        exchanged: Tensor = layer.self_attn(q=tokens, k=tokens, v=tokens)
    else:
        exchanged = tokens + layer.self_attn(q=tokens + prompt, k=tokens + prompt, v=tokens)
    normed: Tensor = layer.norm1(exchanged)
    return normed


def _answer(layer: Any, tokens: Tensor, prompt: Tensor, image: Tensor, placed: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens pass their feed-forward network, then images `(B, M, C)`, or shared `(I, M, C)`, attend to them."""
    tokens = layer.norm3(tokens + layer.mlp(tokens))
    return tokens, layer.norm4(
        _add_tokens_to_image(layer.cross_attn_image_to_token, image, placed, tokens + prompt, tokens)
    )


def _split(x: Tensor, attention: Any) -> Tensor:
    """`(B, tokens, H D)` to `(B, H, tokens, D)`."""
    return unflatten(x, -1, (attention.num_heads, -1)).transpose(1, 2)


def _tokens_from_shared(attention: Any, queries: Tensor, shared: Shared) -> Tensor:
    """Attention of tokens `(B, N, C)` to images that several points share."""
    q = _split(attention.q_proj(queries).reshape(len(shared.image), -1, attention.internal_dim), attention)
    attended = F.scaled_dot_product_attention(q, shared.keys, shared.values).transpose(1, 2)
    out: Tensor = attention.out_proj(attended.reshape(*queries.shape[:2], -1))
    return out


def _tokens_from_image(attention: Any, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of few queries `(B, N, C)` to images `(B, M, C)`."""
    heads = attention.num_heads
    q = unflatten(attention.q_proj(queries), -1, (heads, -1)) / (attention.internal_dim // heads) ** 0.5
    # The bias of the keys adds the same to every logit of a query, and softmax does not see it.
    folded = torch.einsum("bnhd,hdc->bhnc", q, _per_head(attention.k_proj.weight, heads)).flatten(1, 2)
    weights = (folded @ keys.transpose(1, 2)).softmax(-1)
    pooled = unflatten(weights @ values, 1, (heads, -1))
    v = torch.einsum("bhnc,hdc->bnhd", pooled, _per_head(attention.v_proj.weight, heads)).flatten(2)
    attended: Tensor = attention.out_proj(v + attention.v_proj.bias)
    return attended


def _add_tokens_to_image(attention: Any, image: Tensor, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Images plus their attention to few tokens `(B, N, C)`; image and queries `(B, M, C)` or shared, `(I, M, C)`."""
    heads = attention.num_heads
    k = unflatten(attention.k_proj(keys), -1, (heads, -1)) / (attention.internal_dim // heads) ** 0.5
    v = unflatten(attention.v_proj(values), -1, (heads, -1))
    folded = torch.einsum("bnhd,hdc->bhnc", k, _per_head(attention.q_proj.weight, heads))
    bias = torch.einsum("bnhd,hd->bhn", k, unflatten(attention.q_proj.bias, 0, (heads, -1)))
    logits = folded.reshape(len(queries), -1, folded.shape[-1]) @ queries.transpose(1, 2)
    weights = (logits.reshape(*folded.shape[:3], -1) + bias[..., None]).softmax(2).flatten(1, 2)
    out = torch.einsum("bnhd,hdc->bhnc", v, _per_head(attention.out_proj.weight.T, heads)).flatten(1, 2)
    out = out + attention.out_proj.bias / heads  # the weights of each head sum to one, so the bias comes out whole
    each = image[:, None].expand(-1, len(keys) // len(image), -1, -1).flatten(0, 1)
    return torch.baddbmm(each, weights.transpose(1, 2), out)


def _per_head(weight: Tensor, heads: int) -> Tensor:
    """`(H D, C)` to `(H, D, C)`."""
    return unflatten(weight, 0, (heads, -1))
