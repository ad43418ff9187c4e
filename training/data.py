"""Records for training: found by their place in the stream, read from tars a window of shards at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sluice.infra.errors import SluiceError
from sluice.infra.storage import MissingFile, storage
from sluice.preprocess.record import Record
from sluice.preprocess.shards import ShardError, join, read_shard
from sluice.training.order import Mixture, Order

DAMAGED = (
    "export merged shards again, or copy them anew; of a data set that was built `sluice dataset verify` says more"
)


class MissingRecords(SluiceError):
    """A data set does not hold what training asks of it."""


@dataclass(frozen=True)
class TrainingShard:
    """The tars whose fields together are a shard's records, and the keys of those that are trained on, in order."""

    files: tuple[str, ...]
    keys: tuple[str, ...]


@dataclass(frozen=True)
class TrainingData:
    """A data set in a storage `uri`; `digest` names all of its bytes."""

    uri: str
    shards: tuple[TrainingShard, ...]
    digest: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Records of each shard."""
        return tuple(len(shard.keys) for shard in self.shards)

    def read(self, shard: TrainingShard, fields: Collection[str]) -> dict[str, dict[str, bytes]]:
        """The encoded fields of a shard's records by key.

        Raises ShardError where a tar is gone or damaged, MissingRecords where a record lacks a field.
        """
        place, wanted = storage(self.uri), set(shard.keys)
        try:
            streams = [read_shard(place.open(file), fields, f"{self.uri}/{file}") for file in shard.files]
            found = {key: record for key, record in join(streams) if key in wanted}
        except MissingFile as error:
            raise ShardError(f"{error}; it was there when this training began: build or export it again") from error
        except ShardError as error:
            raise ShardError(f"{error}: {DAMAGED}") from error
        self._check(found, shard, fields)
        return found

    def _check(self, found: Mapping[str, Mapping[str, bytes]], shard: TrainingShard, fields: Collection[str]) -> None:
        gone = set(shard.keys) - found.keys()
        if gone:
            raise MissingRecords(
                f"{self.uri}: {len(gone)} of the records of {shard.files[0]} are gone (first: {min(gone)}), or lie in "
                "other tars; `sluice dataset verify` says what is wrong"
            )
        for key, record in found.items():
            lacking = set(fields) - record.keys()
            if lacking:
                raise MissingRecords(
                    f"{self.uri}: record {key} of {shard.files[0]} lacks {', '.join(sorted(lacking))}, which others "
                    "have: build or export it again, or leave the record out of its parquet"
                )


@dataclass(frozen=True)
class Sample:
    """A record as training sees it: which epoch it is in, and its position in the stream."""

    record: Record
    epoch: int
    position: int


class Stream:
    """The endless stream of one data set's records or of several, mixed by weight; samples by position.

    Two windows of each data set are held at once. Raises MissingRecords where a data set has nothing to train on.
    """

    def __init__(
        self,
        data: Sequence[TrainingData],
        fields: Collection[str],
        seed: int,
        weights: Sequence[float] | None = None,
        window: int = 4,
    ) -> None:
        for own in data:
            if not sum(own.counts):
                raise MissingRecords(f"{own.uri} has no records to train on: build it first, or choose another split")
        self.data, self.fields = data, frozenset(fields)
        self.orders = [Order(own.counts, seed, window) for own in data]
        self.mixture = Mixture(tuple(weights or [own.total for own in self.orders]), seed)

    def __getitem__(self, position: int) -> Sample:
        number, own = self.mixture.place(position)
        place = self.orders[number].place(own)
        key = self.data[number].shards[place.shard].keys[place.row]
        held = self._window(number, place.epoch, place.window)
        return Sample(Record(key, dict(held[place.shard, key])), place.epoch, position)

    def samples(self, positions: Sequence[int]) -> Iterator[Sample]:
        """Several of them, in their order."""
        return (self[position] for position in positions)

    @lru_cache(maxsize=2)  # noqa: B019 - a stream lives as long as its training
    def _window(self, number: int, epoch: int, window: int) -> dict[tuple[int, str], dict[str, bytes]]:
        data = self.data[number]
        return {
            (shard, key): record
            for shard in self.orders[number].shards(epoch, window)
            for key, record in data.read(data.shards[shard], self.fields).items()
        }
