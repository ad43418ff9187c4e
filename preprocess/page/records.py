"""Records for a page: a sample of a version, every field side by side, a control silenced for some epochs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal

import numpy as np

from sluice.infra.errors import SluiceError
from sluice.infra.page.blocks import Card, Figure, Strip
from sluice.infra.storage import Storage
from sluice.preprocess.page.pictures import figure, in_words, is_picture, picture, silenced
from sluice.preprocess.record import FIELDS, Record
from sluice.preprocess.shards import join, read_shard
from sluice.preprocess.silence import kept_segments, labels_present, silence

SAMPLE = 24
SIDE = 192
PICTURE_BYTES = 3_600_000
CONTROLS = ("canny.png", "hed.png", "depth.png", "pose.png")
SEED = 0
EPOCHS = (0, 1, 2)
LEGIBLE = 0.01
CAPTION_CHARACTERS = 600

Outputs = Sequence[Mapping[str, Any]]


@dataclass
class Sample:
    """Some records of a version, and why some could not be read."""

    records: list[Record] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def by_shard(outputs: Iterable[Mapping[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """The rows of `shards.parquet` by the shard's place."""
    shards: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for output in outputs:
        shards[output["ordinal"]].append(dict(output))
    return dict(sorted(shards.items()))


def spread(ordinals: Sequence[int], count: int) -> list[int]:
    """At most `count` of the shards, the same distance apart."""
    wanted = min(count, len(ordinals))
    return [ordinals[i * len(ordinals) // wanted] for i in range(wanted)]


def sample(storage: Storage, outputs: Outputs, count: int = SAMPLE) -> Sample:
    """The first records of shards spread over the version; of each shard only its beginning is read.

    Records lie in the order of their keys, which are hashes, so the first ones are as good a sample as any. First come
    the first of every shard, then the second ones, so that any beginning of the sample is spread as well.
    """
    shards = {place: made for place, made in by_shard(outputs).items() if all(output["records"] for output in made)}
    found = Sample()
    ranked: list[tuple[int, int, Record]] = []
    chosen = spread(list(shards), count)
    for place, ordinal in enumerate(chosen):
        wanted = count // len(chosen) + (place < count % len(chosen))
        try:
            records = _beginning(storage, shards[ordinal], wanted)
        except SluiceError as error:
            found.problems.append(f"shard {ordinal}: {error}")
            continue
        ranked += [(rank, ordinal, record) for rank, record in enumerate(records)]
    found.records = [record for _, _, record in sorted(ranked, key=lambda item: item[:2])]
    return found


def _beginning(storage: Storage, outputs: Outputs, count: int) -> list[Record]:
    streams = [storage.open(output["file"]) for output in outputs]
    try:
        shards = [read_shard(stream, None, output["file"]) for stream, output in zip(streams, outputs, strict=True)]
        return [Record(key, fields) for key, fields in islice(join(shards), count)]
    finally:
        for stream in streams:
            stream.close()


def cards(records: Iterable[Record], budget: int = PICTURE_BYTES) -> list[Card]:
    """Cards in key order, as many as fit into `budget` bytes of pictures."""
    made: list[Card] = []
    for place, record in enumerate(records):
        made.append(card(record, place))
        budget -= sum(len(f.source) for strip in made[-1].strips for f in strip.figures)
        if budget < 0:
            made.pop()
            break
    return sorted(made, key=lambda card: card.id)


def card(record: Record, place: int) -> Card:
    """A record with its fields side by side; `place` chooses which of its controls is shown silenced, in turn."""
    strips = [Strip([_figure(record, name) for name in shown_fields(record)])]
    control = control_to_silence(record, place)
    if control:
        strips.append(silenced_strip(record, control, SIDE))
    caption = str(record["txt"]) if "txt" in record else ""
    short = caption if len(caption) <= CAPTION_CHARACTERS else caption[: CAPTION_CHARACTERS - 1] + "…"
    return Card(record.key, facts_of(record), short, strips)


def shown_fields(record: Record) -> list[str]:
    """The fields to show in a row, pictures first, in the order of FIELDS; caption and origin have their own places."""
    known = list(FIELDS)
    names = [name for name in record.encoded if name not in ("txt", "json")]
    return sorted(names, key=lambda n: (not is_picture(n), known.index(n) if n in known else len(known), n))


def controls_of(record: Record) -> list[str]:
    """The controls that the record's segments can silence."""
    return [name for name in CONTROLS if name in record] if "segments.png" in record else []


def control_to_silence(record: Record, place: int) -> str | None:
    """The control to show silenced: in turn among those that leave something to see, else the one that leaves most."""
    left = {name: share_left(record, name) for name in controls_of(record)}
    seen = [name for name, share in left.items() if share >= LEGIBLE]
    return seen[place % len(seen)] if seen else max(left, key=lambda name: left[name], default=None)


def share_left(record: Record, control: str) -> float:
    """The share of a control's values that are not 0 once it is silenced, over the epochs shown."""
    segments, value = record["segments.png"], record[control]
    labels = labels_present(segments)
    kept = (kept_segments(labels, SEED, epoch, record.key) for epoch in EPOCHS)
    left = sum(int(np.count_nonzero(silence(value, segments, k))) for k in kept)
    return left / float(len(EPOCHS) * value.size)


def facts_of(record: Record) -> list[str]:
    """Where the record comes from, in a few words."""
    if "json" not in record:
        return []
    about = record["json"]
    width, height = about["original"]["size"]
    return [str(about["origin"]["uri"])[:200], f"{width} × {height}", str(about["split"])]


def _figure(record: Record, name: str) -> Figure:
    if is_picture(name):
        return figure(name, picture(name, record[name]), SIDE)
    return Figure(name, text=in_words(name, record[name]))


def silenced_strip(record: Record, control: str, side: int, size: Literal["small", "medium"] = "small") -> Strip:
    """A control as training sees it in some epochs, with the segments it keeps."""
    segments = record["segments.png"]
    labels = labels_present(segments)
    figures = []
    for epoch in EPOCHS:
        kept = kept_segments(labels, SEED, epoch, record.key)
        image = silenced(control, record[control], segments, kept, side)
        figures.append(figure(f"epoch {epoch}", image, side, f"keeps {len(kept)} of {len(labels)} segments"))
    return Strip(figures, f"{control} silenced: kept segments outlined, the rest hatched (seed {SEED})", size)
