"""bf16 or float32: what a device computes fast. A processor without bf16 instructions is ten times slower in bf16."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

Half = bool | Literal["auto"]
"""A run's setting ``loop.half``: True is bf16, False float32, "auto" what the device computes fast."""

_INSTRUCTIONS = ("amx_bf16", "avx512_bf16", "avx10_2", "sve_bf16", "bf16")  # of x86, then of ARM
_NARROWER = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


@dataclass(frozen=True)
class Precision:
    """Whether ``bf16`` is fast on a device, and in half a sentence ``why``."""

    bf16: bool
    why: str

    def __str__(self) -> str:
        return f"{'bf16' if self.bf16 else 'float32'} ({self.why})"


def fast_precision(device: str = "cpu") -> Precision:
    """The precision that ``device``, PyTorch's name for it, computes fast."""
    kind = torch.device(device).type
    if kind == "cpu":
        return of_processor(_instructions(), os.environ, torch.backends.mkldnn.is_available())
    if kind == "cuda":
        with torch.cuda.device(device):
            found = torch.cuda.is_bf16_supported(including_emulation=False)
        return Precision(found, f"{torch.cuda.get_device_name(device)} has {'' if found else 'no '}bf16 instructions")
    return Precision(False, f"nothing is known of bf16 on the device '{device}'")


def of_processor(instructions: frozenset[str], environment: Mapping[str, str], onednn: bool) -> Precision:
    """The fast precision of a processor that has these ``instructions``, as Linux and cpuinfo name them.

    PyTorch computes bf16 fast only by ``onednn``, which the variable ONEDNN_MAX_CPU_ISA of the ``environment`` can
    keep from newer instructions.
    """
    has = next((name for name in _INSTRUCTIONS if name in instructions), None)
    if has is None:
        return Precision(False, "the processor has no bf16 instructions")
    if not onednn:
        return Precision(False, "this PyTorch is built without oneDNN, which it needs for bf16")
    limit = environment.get("ONEDNN_MAX_CPU_ISA", environment.get("DNNL_MAX_CPU_ISA", "")).upper()
    if limit in _NARROWER:
        return Precision(False, f"ONEDNN_MAX_CPU_ISA={limit} leaves bf16 instructions unused")
    return Precision(True, f"the processor has {has}")


def in_bf16(half: Half, device: str) -> bool:
    """Whether a run with this setting computes in bf16."""
    return fast_precision(device).bf16 if half == "auto" else half


def cores() -> int:
    """Cores of the processor that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: a container or a cluster's job may have a few of many
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _instructions() -> frozenset[str]:
    """What the processor can, in lower case."""
    if hasattr(torch.cpu, "get_capabilities"):  # younger than the oldest PyTorch we take; on every system
        return frozenset(name for name, there in torch.cpu.get_capabilities().items() if there is True)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # neither Linux nor a young PyTorch: float32 is right everywhere, if not the fastest
        return frozenset()
    flags = next((line for line in lines if line.lower().startswith(("flags", "features"))), "")
    return frozenset(flags.partition(":")[2].lower().split())
