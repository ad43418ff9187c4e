"""DeepSpeed's engine around a network, and its state as plain tensors that fit any number of processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from sluice.infra.errors import SluiceError
from sluice.infra.settings import parse
from sluice.training.recipe import Recipe

MOMENTS = ("exp_avg", "exp_avg_sq")


class CannotTrain(SluiceError):
    """A recipe asks of the hardware, or of DeepSpeed, what it cannot do."""


def start(network: nn.Module, recipe: Recipe, settings: Mapping[str, Any]) -> Any:
    """The engine; `settings` are DeepSpeed's own (ZeRO stage, precision), to which the recipe adds its batch.

    They are such as `require_possible` lets pass. Raises CannotTrain where DeepSpeed does not.
    """
    import deepspeed

    if dtype_of(settings) != torch.float32 and not torch.cuda.is_available():
        # A processor's fused attention is ten times slower backward in bf16 than in float32: a third of a step.
        torch.backends.cuda.enable_flash_sdp(False)
    if recipe.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuBLAS sums in any order
        torch.use_deterministic_algorithms(True)
    if not torch.distributed.is_initialized():
        _form_a_group()
    # The one operator that it looks for is an all-reduce for inference, which takes a compiler half a minute.
    deepspeed.ops.__compatible_ops__ = {}
    deepspeed.init_distributed(verbose=False)  # a group that Ray Train has made becomes DeepSpeed's, too
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, betas=recipe.betas, weight_decay=recipe.weight_decay
    )
    told = {
        **settings,
        "train_micro_batch_size_per_gpu": recipe.micro_batch,
        "gradient_accumulation_steps": recipe.batch // _at_once(recipe),
        "gradient_clipping": recipe.clip,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
    }
    try:
        engine, *_ = deepspeed.initialize(model=network, optimizer=optimizer, config=told, dist_init_required=False)
    except torch.OutOfMemoryError:
        raise
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, own['loc']))}: {own['msg'].lower()}" for own in error.errors())
        raise CannotTrain(f"DeepSpeed cannot begin with the engine's settings: {wrong}") from error
    except Exception as error:  # they are checked in many places, by errors of as many kinds
        raise CannotTrain(f"DeepSpeed cannot begin with the engine's settings: {error}") from error
    return engine


def require_possible(recipe: Recipe, settings: Mapping[str, Any]) -> None:
    """Raises CannotTrain where the processes cannot train so, ConfigError where DeepSpeed knows no such setting."""
    from deepspeed.runtime.precision_config import DeepSpeedBF16Config, DeepSpeedFP16Config
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    known = {"zero_optimization": DeepSpeedZeroConfig, "bf16": DeepSpeedBF16Config, "fp16": DeepSpeedFP16Config}
    for name, model in known.items():
        parse(model, settings.get(name, {}), f"the engine's settings, `{name}`")
    if recipe.batch % _at_once(recipe):
        among = f"{_at_once(recipe) // recipe.micro_batch} processes of {recipe.micro_batch} each"
        raise CannotTrain(
            f"a batch of {recipe.batch} cannot be shared by {among}: set `batch` to a multiple of {_at_once(recipe)}, "
            "or another `micro_batch`"
        )
    if dtype_of(settings) == torch.float16 and not torch.cuda.is_available():
        raise CannotTrain("fp16 takes a GPU: on a processor train in float32 or bf16, as infra/deepspeed/cpu*.json say")
    stage = int(settings.get("zero_optimization", {}).get("stage", 0))
    if dtype_of(settings) != torch.float32 and not stage:
        raise CannotTrain("bf16 and fp16 are trained with ZeRO 1 or more, which keeps float32 weights beside them")
    if recipe.conservativity and stage == 3:
        raise CannotTrain(
            "conservativity calls the network several times in a step, between which ZeRO 3 would let its parameters "
            "go: train it with ZeRO 2 or less"
        )
    if recipe.ema and stage == 3:
        raise CannotTrain(
            "an average of weights (`ema`) needs them whole in every process: train with ZeRO 2 or less, or without it"
        )


def _at_once(recipe: Recipe) -> int:
    """Samples that all processes see at once."""
    return recipe.micro_batch * int(os.environ.get("WORLD_SIZE", "1"))


def dtype_of(settings: Mapping[str, Any]) -> torch.dtype:
    """What a network is trained in, and what its frozen model is kept in."""
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        if settings.get(name, {}).get("enabled"):
            return dtype
    return torch.float32


def dtype_in(engine: Any) -> torch.dtype:
    """What a network is trained in."""
    dtype: torch.dtype = next(engine.module.parameters()).dtype
    return dtype


def scales_losses(engine: Any) -> bool:
    """Whether a loss scale, as fp16 needs, is sought by trying."""
    return bool(engine.fp16_enabled() and engine.dynamic_loss_scale())


def state_of(engine: Any) -> dict[str, Any]:
    """Weights and moments of every parameter in float32, whole, for any number of processes; all of them call it."""
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    state: dict[str, dict[str, Tensor]] = {"network": {}, **{moment: {} for moment in MOMENTS}}
    for name, parameter in engine.module.named_parameters():
        if _is_parted(engine):
            found = [safe_get_full_fp32_param(parameter)]
            found += [safe_get_full_optimizer_state(parameter, moment) for moment in MOMENTS]
        else:
            own = engine.optimizer.state[parameter]
            found = [parameter, *(own[moment] for moment in MOMENTS)]
        for kind, value in zip(state, found, strict=True):
            state[kind][name] = value.detach().cpu().clone()
    buffers = {name: buffer.cpu().clone() for name, buffer in engine.module.named_buffers()}
    return {**state, "buffers": buffers, "updates": _updates(engine), "loss_scale": _loss_scale(engine)}


def filled(network: nn.Module, state: Mapping[str, Any]) -> nn.Module:
    """A network with a state's weights, as it is saved."""
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(state["network"][name])
        for name, buffer in network.named_buffers():
            buffer.copy_(state["buffers"][name])
    return network.eval()


def restore(engine: Any, state: Mapping[str, Any]) -> None:
    """Go on from a state, with any number of processes; all of them call it."""
    from deepspeed.runtime.zero import GatheredParameters
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    _make_moments(engine, state["updates"])
    for name, parameter in engine.module.named_parameters():
        weights = state["network"][name].to(engine.device)
        moments = {moment: state[moment][name].to(engine.device) for moment in MOMENTS}
        with torch.no_grad(), GatheredParameters([parameter], modifier_rank=0):
            parameter.copy_(weights)
        if _is_parted(engine):
            safe_set_full_fp32_param(parameter, weights)
            for moment, value in moments.items():
                safe_set_full_optimizer_state(parameter, value, moment)
        else:
            engine.optimizer.state[parameter].update(moments)
    for name, buffer in engine.module.named_buffers():
        buffer.copy_(state["buffers"][name])
    if state["loss_scale"] is not None:
        vars(engine.optimizer.loss_scaler).update(state["loss_scale"])


def _is_parted(engine: Any) -> bool:
    """Whether DeepSpeed keeps float32 weights and moments for itself, apart from the module's."""
    return engine.optimizer is not engine.basic_optimizer


def _make_moments(engine: Any, updates: int) -> None:
    """The optimizer's state as it is after so many updates, moments zero: it makes its own with the first."""
    optimizer = engine.basic_optimizer
    grouped = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for parameter in getattr(engine.optimizer, "fp32_partitioned_groups_flat", grouped):  # ZeRO 3 hides them
        moments = {moment: torch.zeros_like(parameter, requires_grad=False) for moment in MOMENTS}
        optimizer.state[parameter] = {"step": torch.tensor(float(updates)), **moments}
    if hasattr(engine.optimizer, "_lazy_init_hp_params_optimizer_state"):
        engine.optimizer._lazy_init_hp_params_optimizer_state()  # what its own first update would do


def _updates(engine: Any) -> int:
    return max((int(own["step"]) for own in engine.basic_optimizer.state.values() if "step" in own), default=0)


def _loss_scale(engine: Any) -> dict[str, float] | None:
    """The numbers of a dynamic loss scale, None where there is none."""
    scaler = getattr(engine.optimizer, "loss_scaler", None)
    if scaler is None:
        return None
    return {name: value for name, value in vars(scaler).items() if isinstance(value, (int, float))}


def backend(gpus: bool) -> str:
    """What reduces an engine's tensors where they are; the loop's own are the processor's always."""
    return "cpu:gloo,cuda:nccl" if gpus else "gloo"


def _form_a_group() -> None:
    """Of the processes that a launcher tells of; without one of this process alone, whose store listens at no port."""
    how = backend(torch.cuda.is_available())
    if "RANK" in os.environ:
        torch.distributed.init_process_group(how)
        return
    os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1")
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # else it listens where this machine's name leads
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]  # torch does not list what it exports
    torch.distributed.init_process_group(how, store=store, rank=0, world_size=1)
