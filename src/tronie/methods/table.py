"""Methods by name: one file per paper."""

from __future__ import annotations

METHODS: dict[str, str] = {
    "baseline": "tronie.methods.baseline:Baseline",
}
