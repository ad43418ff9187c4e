"""What garbage collection says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sluice.flows.operate.activity import Activity
from sluice.flows.operate.doomed import Doomed
from sluice.flows.operate.keeping import Kept
from sluice.infra.page.text import bytes_text, count_text
from sluice.infra.printable import printable


def said_gc(told: Iterable[Kept | Activity | Doomed | str], delete: bool, too_young: bool) -> Iterator[str]:
    """Lines as things happen, and last how much it was; some of it `too_young` for a deletion."""
    files, size = 0, 0
    for each in told:
        match each:
            case Kept():
                yield from _kept(each)
            case Activity():
                yield from (
                    f"{printable(name)}: has files younger than --grace, as of a build; what its shards have stays"
                    for name in each.at_work
                )
            case Doomed():
                files, size = files + each.count, size + each.size
                yield f"{'deleted' if delete else 'goes'}: {each.what}; {_much(each.count, each.size)}"
            case str():
                yield each
    if not files:
        yield "Nothing is to go."
    elif delete:
        yield f"{_much(files, size)} deleted."
    else:
        how = "--delete takes a --grace of 1h or more" if too_young else "the same with --delete does it"
        yield f"{_much(files, size)} would go. Nothing was deleted: {how}."


def _kept(kept: Kept) -> Iterator[str]:
    yield f"data set {printable(kept.data.name)}: {len(kept.versions)} of {len(kept.data.versions)} versions are kept"
    yield from (f"  {id_}: {reason}" for id_, reason in kept.reasons.items())


def _much(files: int, size: int) -> str:
    return f"{count_text(files)} file{'' if files == 1 else 's'}, {bytes_text(size)}"
