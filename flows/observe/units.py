"""What is counted and logged of a unit of work that is done."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sluice.infra.execution.unit import Unit
from sluice.infra.metrics import BYTES, FAILURES, RECORDS

log = logging.getLogger("sluice.run")


def done(unit: Unit, records: int, size: int = 0, left_out: Iterable[str] = (), repeated: int = 0) -> None:
    """So many records, or pictures, and bytes of a stage, the kinds of what it left out, and requests it repeated."""
    kinds = ["filtered" if kind == "filtered" else "quarantined" for kind in left_out]
    RECORDS.labels(unit.kind).inc(records)
    BYTES.labels(unit.kind).inc(size)
    for kind in kinds:
        FAILURES.labels(unit.kind, kind).inc()
    FAILURES.labels(unit.kind, "repeated").inc(repeated)
    counts = {"records": records, "bytes": size, "left_out": len(kinds), "repeated": repeated}
    log.info("done", extra={**unit.about(), "seconds": round(unit.seconds, 3), **counts})
