"""The drift report of a version against the one before: what came and went, what was turned, what moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from sluice.infra.storage import Storage
from sluice.infra.weights.catalogue import catalogue
from sluice.preprocess.compare.explain import Knob, StageChange, differences, stage_changes
from sluice.preprocess.compare.measuring import measure
from sluice.preprocess.compare.movement import Movement, left_out_moved, movements
from sluice.preprocess.compare.outline import SAMPLED_SHARDS, Outline, outline
from sluice.preprocess.compare.stability import DRIFTED
from sluice.preprocess.compare.tally import Tails
from sluice.preprocess.compare.traffic import traffic
from sluice.preprocess.version.cut import withdrawn_from
from sluice.preprocess.version.manifest import Version

COUNTS = ("images", "records", "duplicates", "quarantined", "filtered")


@dataclass(frozen=True)
class Report:
    """A version against the one before, `before`, None for a first one.

    `counts` are (before, after), `changes` numbers of records: those that came and went, changed in the source, were
    made again by a stage whose fingerprint changed, or have other bytes that no fingerprint explains. `withdrawn` were
    taken out of the earlier version since it was made. `movements` are the worst first. `tails` are the ends of numbers
    among what is new or made again: they name records, and so are no part of the JSON.
    """

    dataset: str
    before: str | None
    after: str
    counts: Mapping[str, tuple[int, int]]
    changes: Mapping[str, int] = field(default_factory=dict)
    withdrawn: int = 0
    stages: tuple[StageChange, ...] = ()
    source: tuple[Knob, ...] = ()
    licences: tuple[Knob, ...] = ()
    fields: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    movements: tuple[Movement, ...] = ()
    sampled: tuple[int, int] = (0, 0)
    tails: Mapping[str, Tails] = field(default_factory=dict)

    def over(self, threshold: float) -> list[Movement]:
        """What moved further than a threshold, and than chance explains, the worst first."""
        return [moved for moved in self.movements if moved.over(threshold)]

    def verdict(self, threshold: float = DRIFTED) -> str:
        """One line: what drifted, or that nothing did."""
        if self.before is None:
            return "nothing came before this version, so nothing can have drifted"
        if self.before == self.after:
            return "nothing drifted: it is the same version"
        found = self.over(threshold)
        if found:
            named = ", ".join(f"{moved.name} {moved.index:.3g}" for moved in found)
            return f"drifted: {named} (stability index over {threshold:g})"
        most = self.movements[0]
        if not most.index:
            return "nothing drifted: every distribution stayed as it was"
        told = f"the greatest stability index is {most.index:.3g}, of {most.name}"
        return f"nothing drifted: none is over {threshold:g} and over chance; {told}"

    def as_dict(self, threshold: float = DRIFTED) -> dict[str, Any]:
        """Everything but the keys of records, as plain values for JSON."""
        said = {name: value for name, value in asdict(self).items() if name != "tails"}
        return {
            **said,
            "fields": {"new": list(self.fields[0]), "lost": list(self.fields[1])},
            "threshold": threshold,
            "verdict": self.verdict(threshold),
            "drifted": [moved.name for moved in self.over(threshold)],
        }


def drift_report(storage: Storage, before: Version | None, after: Version, workers: int | None = None) -> Report:
    """Compare a version with the one before it, by its tables and the sidecars of at most 1,000 shards of each.

    Raises ShardError, StorageError where a version is damaged.
    """
    counts = {name: after.manifest["counts"][name] for name in COUNTS}
    if before is None:
        return Report(after.dataset, None, after.id, {name: (0, count) for name, count in counts.items()})
    old, new = outline(storage, before), outline(storage, after)
    moved = traffic(storage, old, new, workers)
    changes = stage_changes(before.manifest, after.manifest)
    bins, sums = measure(storage, old, new, moved.came, workers)
    found = [*movements(bins, sums), _left_out(old, new)]
    return Report(
        dataset=after.dataset,
        before=before.id,
        after=after.id,
        counts={name: (before.manifest["counts"][name], count) for name, count in counts.items()},
        changes={
            "came": len(moved.came),
            "went": len(moved.went),
            "changed in the source": moved.changed,
            "made again": _made_again(new, changes, len(moved.came)),
            "unexplained": _unexplained(old, new),
        },
        withdrawn=len(withdrawn_from(before)),
        stages=tuple(changes),
        source=tuple(differences(before.manifest["source"], after.manifest["source"])),
        licences=tuple(differences(_licences(before), _licences(after))),
        fields=_fields(before, after),
        movements=tuple(sorted(found, key=lambda m: (-m.index, m.name))),
        sampled=(min(len(new.digests), SAMPLED_SHARDS), len(new.digests)),
        tails=dict(sums.tails),
    )


def _left_out(before: Outline, after: Outline) -> Movement:
    """Duplicates are of the plan, not of a stage, and are told by the counts."""
    fates = []
    for side in (before, after):
        by = {f"{stage} ({kind})": count for (stage, kind), count in side.reasons.items()}
        fates.append({"nobody": side.version.manifest["counts"]["records"], **by})
    planned = (rows for _, shard, rows in after.version.manifest["shards"] if shard in before.digests)
    return left_out_moved(fates[0], fates[1], sum(planned))


def _made_again(after: Outline, changes: list[StageChange], came: int) -> int:
    """Records that were there before, once a stage that both versions have has another fingerprint."""
    both = [change for change in changes if change.before and change.after]
    return after.version.manifest["counts"]["records"] - came if both else 0


def _unexplained(before: Outline, after: Outline) -> int:
    """Records of shards in both of which the same were kept, and have other bytes under an equal fingerprint."""
    marks = [
        {stage["name"]: stage["fingerprint"] for stage in side.version.manifest["stages"]} for side in (before, after)
    ]
    same = [stage for stage in marks[0] if marks[0][stage] == marks[1].get(stage)]
    odd = [
        shard
        for shard in before.digests.keys() & after.digests.keys()
        if np.array_equal(before.without(shard), after.without(shard))
        and any(before.digests[shard][stage] != after.digests[shard][stage] for stage in same)
    ]
    return after.records(odd)


def _licences(version: Version) -> dict[str, str]:
    """Of the weights of each stage that runs a model of the catalogue."""
    known = catalogue()
    stages = version.manifest["stages"]
    return {stage["name"]: known[stage["model"]].licence for stage in stages if stage["model"] in known}


def _fields(before: Version, after: Version) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """New and lost ones."""
    old, new = ({name for stage in v.manifest["stages"] for name in stage["writes"]} for v in (before, after))
    return tuple(sorted(new - old)), tuple(sorted(old - new))
