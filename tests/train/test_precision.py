"""bf16 only where the machine computes it fast, said in the log, and kept by a run that goes on elsewhere."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from tronie.core.errors import SettingError  # noqa: E402
from tronie.train import precision, run  # noqa: E402
from tronie.train.loop import Loop  # noqa: E402
from tronie.train.precision import Precision, fast_precision, in_bf16, of_processor  # noqa: E402
from tronie.train.recipe import Recipe, Source, read_recipe  # noqa: E402

SLOW, FAST = Precision(False, "the processor has no bf16 instructions"), Precision(True, "the processor has amx_bf16")
HASWELL = {"avx2", "fma", "bmi2"}


@pytest.mark.parametrize(
    ("instructions", "environment", "bf16", "why"),
    [
        (HASWELL, {}, False, "no bf16 instructions"),
        ({*HASWELL, "avx512f", "avx512_vnni"}, {}, False, "no bf16 instructions"),
        ({*HASWELL, "avx512f", "avx512_bf16"}, {}, True, "has avx512_bf16"),
        ({*HASWELL, "amx_tile", "amx_bf16"}, {}, True, "has amx_bf16"),
        ({"neon", "asimd", "bf16"}, {}, True, "has bf16"),
        ({"neon", "asimd"}, {}, False, "no bf16 instructions"),
        ({"avx512_bf16"}, {"ONEDNN_MAX_CPU_ISA": "avx2"}, False, "ONEDNN_MAX_CPU_ISA=AVX2"),
        ({"avx512_bf16"}, {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, True, "has avx512_bf16"),
    ],
)
def test_what_a_processor_is_said_to_compute_fast(
    instructions: set[str], environment: dict[str, str], bf16: bool, why: str
) -> None:
    found = of_processor(frozenset(instructions), environment, onednn=True)
    assert found.bf16 is bf16 and why in found.why
    assert not of_processor(frozenset(instructions), environment, onednn=False).bf16


def test_old_and_young_pytorch_say_the_same_of_this_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    if not hasattr(torch.cpu, "get_capabilities") or not Path("/proc/cpuinfo").is_file():
        pytest.skip("needs both ways to ask")
    now = fast_precision()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert fast_precision() == now and in_bf16("auto", "cpu") is now.bf16


@pytest.mark.parametrize(("there", "said"), [(True, "bf16 (A card has bf16"), (False, "float32 (A card has no")])
def test_a_graphics_card_is_asked_for_what_it_computes_itself(
    there: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch also says yes to cards that only imitate bf16, slowly."""
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: there or including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A card")
    assert str(fast_precision("cuda:1")).startswith(said)


def test_of_other_devices_bf16_is_not_guessed() -> None:
    assert not fast_precision("meta").bf16


def small(folder: Path, **changes: object) -> Recipe:
    loop = replace(Loop(1, 16), **changes)  # type: ignore[arg-type]
    return Recipe("small", (Source("drawn"),), labels=(), method="tiny_method:Tiny", loop=loop)


def test_a_run_says_what_it_computes_in_and_keeps_it_on_another_machine(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(run, "fast_precision", lambda device: SLOW)
    run.execute(small(tmp_path), data, tmp_path / "run", said.append)
    assert said[0].startswith("computes in float32 (the processor has no bf16 instructions), on 1 of ")
    assert read_recipe(tmp_path / "run" / "recipe.toml").loop.half is False
    kept = (tmp_path / "run" / "log.jsonl").read_text()

    monkeypatch.setattr(run, "fast_precision", lambda device: FAST)
    said.clear()
    run.execute(small(tmp_path), data, tmp_path / "run", said.append)  # the recipe, not the run's own copy of it
    assert said[0].startswith("computes in float32 (as the run began), on 1 of ")
    assert (tmp_path / "run" / "log.jsonl").read_text() == kept, "nothing was learnt anew"


@pytest.mark.parametrize(("half", "bf16"), [("auto", True), (True, True), (False, False)])
def test_the_network_computes_in_what_was_chosen(
    half: precision.Half, bf16: bool, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiny_method import Tiny

    seen: set[bool] = set()
    loss = Tiny.loss

    def watched(self: Tiny, *given: object) -> dict[str, torch.Tensor]:
        seen.add(torch.is_autocast_enabled("cpu"))
        return loss(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Tiny, "loss", watched)
    monkeypatch.setattr(run, "fast_precision", lambda device: FAST)
    said: list[str] = []
    run.execute(small(tmp_path, half=half), data, tmp_path / "run", said.append)
    assert seen == {bf16}
    assert said[0].startswith(f"computes in {'bf16' if bf16 else 'float32'} (")


def test_bf16_asked_for_where_it_is_slow_is_done_and_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "fast_precision", lambda device: SLOW)
    said: list[str] = []
    run.execute(small(tmp_path, half=True), data, tmp_path / "run", said.append)
    assert said[0].startswith("computes in bf16 (loop.half=true; float32 would be faster: the processor has no bf16")
    assert read_recipe(tmp_path / "run" / "recipe.toml").loop.half is True


def test_a_word_that_is_none_of_the_three_is_told() -> None:
    with pytest.raises(SettingError, match=r"'loop.half' must be true or false or .*auto"):
        read_recipe("baseline-static", ["loop.half=fast"])
