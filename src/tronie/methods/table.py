"""Methods by name: one file per paper."""

from __future__ import annotations

METHODS: dict[str, str] = {
    "baseline": "tronie.methods.baseline:Baseline",
    "scn": "tronie.methods.scn:SCN",
    "eac": "tronie.methods.eac:EAC",
    "elr": "tronie.methods.elr:ELR",
    "gce": "tronie.methods.gce:GCE",
    "coteaching": "tronie.methods.coteaching:Coteaching",
    "rdfer": "tronie.methods.rdfer:RDFER",
    "sequence": "tronie.methods.sequence:Sequence",
    "multitask": "tronie.methods.affect:Multitask",
    "ke2nt": "tronie.methods.ke2nt:KE2NT",
}
