"""Protocols and suites by name alone: a wrong name is refused before anything heavy loads."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.infra.settings import ConfigError, nearest

TABLETOP = "tabletop"
ABLATIONS = "-ablations"
PAPERS = (
    "silence",
    "obedience",
    "conservativity",
    "minimal-impact",
    "cnc",
    "reconstruction",
    "amdm",
    "zmagic",
    "unite",
    "unite-faces",
    "nesting",
)
ALONE = ("convergence", "fusers")
"""In no suite: their networks do not ship."""
ABLATED = ("minimal-impact", "cnc", "amdm", "zmagic", "unite", "unite-faces")
SUITES = {"papers": PAPERS, "ablations": tuple(f"{name}{ABLATIONS}" for name in ABLATED)}
NAMES = (*PAPERS, *ALONE, *SUITES["ablations"])


def chosen(suite: str | None, protocols: Sequence[str]) -> list[str]:
    """The protocols of a suite and some more, each once. Raises ConfigError for a name that there is not, or none."""
    if suite is None and not protocols:
        raise ConfigError(f"name a --suite ({', '.join(SUITES)}) or a --protocol ({', '.join(NAMES)})")
    if suite is not None and suite not in SUITES:
        raise ConfigError(f"--suite {suite}: there is no such suite; {nearest(suite, SUITES)}")
    for name in protocols:
        if name not in NAMES:
            raise ConfigError(f"--protocol {name}: there is no such protocol; {nearest(name, NAMES)}")
    return list(dict.fromkeys([*(SUITES[suite] if suite else ()), *protocols]))
