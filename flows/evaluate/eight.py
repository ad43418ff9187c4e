"""The eight claims of the papers, each by the protocol that judges it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sluice.flows.evaluate.claims import Results
from sluice.flows.evaluate.protocols import amdm, cnc, conservativity, minimal_impact, silence, unite, zmagic

EIGHT = (
    ("silence", silence.SAYS),
    ("minimal-impact", minimal_impact.SAYS),
    ("conservativity", conservativity.SAYS),
    ("cnc", cnc.IN_FRONT),
    ("cnc", cnc.LOCALISES),
    ("amdm", amdm.SAYS),
    ("zmagic", zmagic.SAYS),
    ("unite", unite.SAYS),
)


def verdicts(found: Sequence[Results]) -> Iterator[tuple[str, str, str]]:
    """Of each claim the protocol, the claim, and its verdict, `not measured` where the protocol was not run."""
    claims = {(own.protocol, claim.says): claim for own in found for claim in own.claims}
    for protocol, says in EIGHT:
        claim = claims.get((protocol, says))
        yield protocol, says, "not measured" if claim is None else claim.told
