"""What lies beside an image: captions and other facts, from text and JSON, however badly encoded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.preprocess.record import encode_json

CAPTION_NAMES = ("caption", "captions", "text", "prompt")
# EXIF can be large and holds places and serial numbers.
LEFT_OUT = frozenset({*CAPTION_NAMES, "exif"})


@dataclass
class Beside:
    """Captions in the order found, each once; plain facts (numbers, short texts, flags); what was wrong."""

    captions: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, caption: str) -> None:
        """A caption, without white space around it; an empty or repeated one is left out."""
        text = caption.strip().encode("utf-8", "replace").decode()
        if text and text not in self.captions:
            self.captions.append(text)

    def add_all(self, value: Any, name: str) -> None:
        """A caption or a list of them; what is no text is warned of as in `name`."""
        for caption in value if isinstance(value, list) else [value]:
            if isinstance(caption, str):
                self.add(caption)
            elif caption is not None:
                self.warnings.append(f"{name}: a caption is not a text but {type(caption).__name__}")

    def read_text(self, data: bytes, name: str) -> None:
        """A text sidecar: one caption a line."""
        for line in self._decode(data, name).splitlines():
            self.add(line)

    def read_json(self, data: bytes, name: str) -> None:
        """A JSON sidecar: `caption`, `captions`, `text` or `prompt`, each a text or a list of them; plain facts."""
        try:
            value = json.loads(self._decode(data, name))
        except (ValueError, RecursionError) as error:
            self.warnings.append(f"{name} is not JSON: {error}")
            return
        if not isinstance(value, Mapping):
            self.add_all(value, name)
            return
        for key in CAPTION_NAMES:
            self.add_all(value.get(key), name)
        facts = {key: fact for key, fact in value.items() if is_plain(key) and is_plain(fact)}
        self.metadata.update({key: facts[key] for key in facts.keys() - LEFT_OUT})

    def encode(self, kind: str, uri: str, **origin: Any) -> bytes:
        """As `raw.json`: captions, and an origin of source, URI and whatever else is given and not None."""
        about = {"source": kind, "uri": uri, **{k: v for k, v in origin.items() if v is not None}}
        if self.metadata:
            about["metadata"] = self.metadata
        if self.warnings:
            about["warnings"] = self.warnings
        return encode_json({"captions": self.captions, "origin": about})

    def _decode(self, data: bytes, name: str) -> str:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            self.warnings.append(f"{name} is not UTF-8 (byte {error.start}); read with replacement characters")
            return data.decode("utf-8-sig", "replace")


def is_plain(fact: Any) -> bool:
    """Whether it is a fact to keep: a finite number, a flag, a short text."""
    if isinstance(fact, float):
        return math.isfinite(fact)
    if isinstance(fact, str):
        # A lone surrogate is legal JSON and no legal UTF-8.
        return len(fact) <= 1000 and fact.isprintable()
    return isinstance(fact, bool | int)
