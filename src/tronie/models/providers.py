"""What ONNX Runtime computes on: the processor, or an accelerator whose build of it is installed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tronie.core.errors import SettingError
from tronie.core.registry import nearest


@dataclass(frozen=True)
class Provider:
    """``name`` is ONNX Runtime's own; ``package`` is the wheel that brings it and ``needs`` what else it takes."""

    name: str
    package: str
    needs: str = ""


PROVIDERS: dict[str, Provider] = {
    "cpu": Provider("CPUExecutionProvider", "onnxruntime"),
    "cuda": Provider("CUDAExecutionProvider", "onnxruntime-gpu[cuda,cudnn]", "an NVIDIA driver for its CUDA version"),
    "openvino": Provider("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "coreml": Provider("CoreMLExecutionProvider", "onnxruntime", "a Mac: its wheel for macOS brings it"),
}
"""Name → execution provider. All of them fall back to the CPU for what of a graph they cannot do."""

_CPU = PROVIDERS["cpu"].name


def available() -> list[str]:
    """The names in ``PROVIDERS`` that the installed ONNX Runtime was built with."""
    built = runtime().get_available_providers()
    return [name for name, provider in PROVIDERS.items() if provider.name in built]


def chain(name: str) -> tuple[str, ...]:
    """ONNX Runtime's providers for ``name``, the CPU last. Raises SettingError that says what to install."""
    if name not in PROVIDERS:
        raise SettingError(f"Unknown provider '{name}'.{nearest(name, list(PROVIDERS))}")
    provider, here = PROVIDERS[name], available()
    if name not in here:
        raise SettingError(
            f"Provider '{name}' is not part of the ONNX Runtime installed here, which has "
            f"{', '.join(here) or 'none that is known'}: {install(name)}."
        )
    if name == "cuda" and hasattr(ort := runtime(), "preload_dlls"):
        ort.preload_dlls()  # finds the CUDA libraries that the extras of onnxruntime-gpu installed as Python packages
    return (provider.name,) if name == "cpu" else (provider.name, _CPU)


def install(name: str) -> str:
    """What to do to get a provider, as half a sentence."""
    provider = PROVIDERS[name]
    told = f" (it needs {provider.needs})" if provider.needs else ""
    if provider.package == "onnxruntime":
        return f"install onnxruntime from PyPI{told}"
    # All builds fill one folder, so a second one beside the first breaks both.
    return f"pip uninstall onnxruntime, then pip install '{provider.package}'{told}"


def check_started(name: str, used: list[str]) -> None:
    """Raise SettingError where a session runs on ``used`` without the provider asked for: it is built in, yet failed.

    ONNX Runtime itself goes on silently on the CPU when an accelerator's libraries or driver are missing.
    """
    provider = PROVIDERS[name]
    if provider.name not in used:
        needs = provider.needs or f"the libraries that {provider.package} names"
        raise SettingError(
            f"Provider '{name}' is installed but did not start: it needs {needs}. Give provider 'cpu' "
            "to go on without it."
        )


def runtime() -> Any:
    """ONNX Runtime, which tells nobody what it runs; its import takes 0.2 s, so it is paid on first use."""
    import onnxruntime

    if hasattr(onnxruntime, "disable_telemetry_events"):  # where it was imported before Tronie, and on Windows
        onnxruntime.disable_telemetry_events()
    return onnxruntime
