"""All protocols by name: what measures each, and what it is of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sluice.flows.evaluate.claims import Claim, Estimate
from sluice.flows.evaluate.contest import Contest
from sluice.flows.evaluate.names import ABLATIONS
from sluice.flows.evaluate.protocols import (
    aggregates,
    amdm,
    cnc,
    conservativity,
    convergence,
    faces,
    fused,
    fusers,
    minimal_impact,
    nesting,
    obedience,
    reconstruction,
    silence,
    unite,
    zmagic,
)

Measure = Callable[[Contest, int], tuple[list[Estimate], list[Claim]]]


@dataclass(frozen=True)
class Protocol:
    """What the page calls it, what measures it, and how many pictures it makes of each case and seed.

    `parts` of the family and control networks (`controls`) are what it needs beside the base. One that is not of
    tabletop's truths can be measured on any data, of as many controls as there are networks for; of the base it then
    needs these parts (`on_data`); one of instances can be measured on COCO-MIG's file, of these (`on_instances`).
    `more` are the places of other networks that it is of, as far as they are there.
    """

    title: str
    measure: Measure
    pictures: Callable[[Contest], int]
    parts: tuple[str, ...] = ("judges",)
    controls: tuple[str, ...] = ()
    on_data: tuple[str, ...] | None = None
    on_instances: tuple[str, ...] | None = None
    more: Callable[[Contest], Mapping[str, str]] = lambda _: {}


PROTOCOLS = {
    "silence": Protocol(
        "Silent controls",
        silence.measure,
        silence.pictures,
        controls=silence.NETWORKS,
        on_data=(),
        more=lambda c: c.optional(silence.METHODS),
    ),
    "obedience": Protocol(
        "Controls alone",
        obedience.measure,
        obedience.pictures,
        controls=obedience.NETWORKS,
        on_data=(),
        more=lambda c: c.optional(obedience.METHODS),
    ),
    "convergence": Protocol(
        "Convergence", convergence.measure, convergence.pictures, on_data=(), more=convergence.networks
    ),
    "conservativity": Protocol(
        "Conservativity",
        conservativity.measure,
        lambda _: 0,
        controls=conservativity.NETWORKS,
        more=conservativity.networks,
    ),
    "minimal-impact": Protocol(
        "Two controls in conflict",
        minimal_impact.measure,
        minimal_impact.pictures,
        controls=minimal_impact.NETWORKS,
        on_data=(),
        more=lambda c: c.optional(minimal_impact.METHODS, minimal_impact.here(c, minimal_impact.METHODS)),
    ),
    "cnc": Protocol("Compose and Conquer", cnc.measure, cnc.pictures, controls=cnc.NETWORKS),
    "fusers": Protocol(
        "Compose and Conquer's fusers, by their training",
        fusers.measure,
        fusers.pictures,
        controls=fusers.NETWORKS,
        more=fusers.networks,
    ),
    "reconstruction": Protocol(
        "Scenes made again",
        reconstruction.measure,
        reconstruction.pictures,
        controls=reconstruction.NETWORKS,
        on_data=("image_encoder",),
    ),
    "amdm": Protocol(
        "AMDM",
        amdm.measure,
        lambda c: len(aggregates.methods(c.sampling, c.asked is None)),
        amdm.PARTS,
        on_instances=amdm.TOLD_WHERE,
    ),
    "zmagic": Protocol("Z-Magic", zmagic.measure, lambda _: zmagic.PICTURES, zmagic.PARTS),
    "unite": Protocol("Unite and Conquer, scenes", unite.measure, lambda c: len(unite.methods(c)), unite.PARTS),
    "unite-faces": Protocol("Unite and Conquer, faces", faces.measure, faces.pictures, controls=faces.NETWORKS),
    "nesting": Protocol(
        "All five nested", nesting.measure, lambda c: len(nesting.methods(c)), nesting.PARTS, nesting.NETWORKS
    ),
    f"minimal-impact{ABLATIONS}": Protocol(
        "Two controls in conflict, ablations",
        minimal_impact.ablate,
        minimal_impact.ablated,
        controls=minimal_impact.ABLATED,
        on_data=(),
        more=lambda c: c.optional(minimal_impact.VARIANTS, minimal_impact.here(c, minimal_impact.VARIANTS)),
    ),
    f"cnc{ABLATIONS}": Protocol(
        "Compose and Conquer, ablations", cnc.ablate, lambda c: len(cnc.variants(c)), controls=(fused.JOINT,)
    ),
    f"amdm{ABLATIONS}": Protocol(
        "AMDM, ablations",
        amdm.ablate,
        lambda c: len(aggregates.variants(c.sampling)),
        ("unet_boxes", "judges"),
        on_instances=amdm.TOLD_WHERE,
    ),
    f"zmagic{ABLATIONS}": Protocol("Z-Magic, ablations", zmagic.ablate, lambda _: zmagic.ABLATED, zmagic.PARTS),
    f"unite{ABLATIONS}": Protocol(
        "Unite and Conquer, scenes, ablations", unite.ablate, lambda c: len(unite.variants(c)), unite.PARTS
    ),
    f"unite-faces{ABLATIONS}": Protocol(
        "Unite and Conquer, faces, ablations",
        faces.ablate,
        lambda c: len(faces.variants(c)),
        controls=faces.NETWORKS,
    ),
}
ON_DATA = [name for name, own in PROTOCOLS.items() if own.on_data is not None]
ON_INSTANCES = [name for name, own in PROTOCOLS.items() if own.on_instances is not None]
