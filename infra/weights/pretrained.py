"""Models of transformers and diffusers from a local folder: whole, or an error that says what the folder lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sluice.infra.errors import SluiceError


class ModelFolderError(SluiceError):
    """A folder does not hold the model that a stage needs."""


def load(loader: Any, folder: Path, *, subfolder: str = "", **options: Any) -> Any:
    """`loader.from_pretrained` on a local folder, never from a hub and never running the folder's own code.

    `loader` is a class of transformers or diffusers. Raises ModelFolderError, naming the folder and what was expected.
    """
    place = folder / subfolder if subfolder else folder
    wanted = getattr(loader, "__name__", str(loader))
    if not place.is_dir():
        raise ModelFolderError(
            f"{wanted} is to be loaded from {place}, which is not a folder; give a folder as `save_pretrained` writes "
            f"it{f', with the subfolder `{subfolder}`' if subfolder else ''}"
        )
    if loader.__module__.startswith("transformers.models.auto."):
        options["trust_remote_code"] = False  # unless told, it asks at the terminal
    try:
        with quiet():
            loaded = loader.from_pretrained(str(place), local_files_only=True, **options)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise ModelFolderError(
            f"{place} does not hold a {wanted} ({type(error).__name__}: {reason}); give a complete folder as "
            "`save_pretrained` writes it, of that kind of model"
        ) from error
    _require_vocabulary(loaded, place)
    return loaded


def load_network(loader: Any, folder: Path, *, subfolder: str = "", unused: str | None = None, **options: Any) -> Any:
    """`load` for a network, in evaluation mode; a weight that the folder lacks is an error and not a random number.

    Names that match the regular expression `unused` may be missing: parameters that the network has and never uses.
    """
    network, found = load(loader, folder, subfolder=subfolder, output_loading_info=True, **options)
    missing = [name for name in found["missing_keys"] if not (unused and re.search(unused, name))]
    wrong = [mismatch[0] for mismatch in found["mismatched_keys"]]
    if missing or wrong:
        names = sorted(missing + wrong)
        raise ModelFolderError(
            f"{folder / subfolder} lacks {len(names)} weights of a {type(network).__name__} or has them in another "
            f"shape (first: {', '.join(names[:3])}); it holds another kind of model, or was saved in part"
        )
    return network.eval()


def _require_vocabulary(loaded: Any, folder: Path) -> None:
    """transformers 5 builds a tokenizer without its vocabulary in silence; it then finds no word in any text."""
    from transformers import PreTrainedTokenizerBase

    own = getattr(loaded, "tokenizer", loaded)  # a pipeline's, or itself
    if not isinstance(own, PreTrainedTokenizerBase):
        return
    if own.get_vocab().keys() <= {*own.get_added_vocab(), *own.all_special_tokens}:
        raise ModelFolderError(
            f"the tokenizer in {folder} has no vocabulary: its folder needs vocab.json with merges.txt, or "
            "tokenizer.json"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and load reports: a thousand actors would fill the log, and `load_network` says what is wrong."""
    import diffusers.utils.logging
    import transformers.utils.logging

    libraries = (diffusers.utils.logging, transformers.utils.logging)
    before = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, verbosity in zip(libraries, before, strict=True):
            library.set_verbosity(verbosity)
