"""What graphs run on: here the CPU; what is not installed says what to install."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import tronie
from tronie.core.errors import SettingError
from tronie.faces.detect import WEIGHTS, RetinaFace, make_detector
from tronie.faces.whole import WholePicture
from tronie.models.catalog import load_model
from tronie.models.providers import PROVIDERS, available, chain, check_started
from tronie.models.session import Session
from tronie.pipeline.settings import Settings


def test_the_cpu_is_always_there() -> None:
    assert "cpu" in available() and chain("cpu") == ("CPUExecutionProvider",)
    blank = np.zeros((1, 3, 32, 32), np.float32)
    assert all(np.isfinite(a).all() for a in Session(WEIGHTS, provider="cpu").run(input=blank).values())


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(SettingError, match="Did you mean 'cuda'"):
        chain("cude")
    with pytest.raises(SettingError, match="Unknown provider 'tpu'"):
        Session(WEIGHTS, provider="tpu")


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "cpu"])
def test_what_is_not_installed_says_what_is_and_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(SettingError) as error:
        tronie.Analyser(settings=Settings(provider=name))
    said = str(error.value)
    assert "has cpu" in said and PROVIDERS[name].package in said and "\n" not in said


def test_the_cpu_comes_after_an_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    built = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: built)
    assert chain("cuda") == tuple(built) and available() == ["cpu", "cuda"]


@pytest.mark.filterwarnings("ignore:Specified provider")
def test_an_accelerator_that_is_built_in_but_does_not_start_is_no_silent_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    check_started("cuda", ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", *built])
    built = ["CPUExecutionProvider"]  # this ONNX Runtime has no CUDA: it warns and goes on with what it has
    with pytest.raises(SettingError, match=r"'cuda' .* did not start: it needs .* driver"):
        Session(WEIGHTS, provider="cuda")


def test_the_option_reaches_every_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("tronie.models.session.chain", lambda name: asked.append(name) or ("CPUExecutionProvider",))
    monkeypatch.setattr("tronie.models.session.check_started", lambda name, used: None)
    tronie.Analyser(settings=Settings(provider="coreml"))
    assert asked == ["coreml"] * 2  # the model's and the detector's
    assert isinstance(make_detector("whole", "coreml"), WholePicture) and asked == ["coreml"] * 3
    assert load_model() is not load_model(provider="coreml")
    assert isinstance(make_detector("retinaface"), RetinaFace) and asked[-1] == "cpu"


def test_a_detector_that_knows_no_provider_runs_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        def detect(self, image: object) -> list[object]:
            return []

    monkeypatch.setitem(__import__("tronie.faces.detect", fromlist=["DETECTORS"]).DETECTORS, "own", "x:Own")
    monkeypatch.setattr("tronie.faces.detect.resolve", lambda *_: Own)
    assert isinstance(make_detector("own", "cuda"), Own)


def test_the_command_line_says_it_in_one_sentence(samples: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tronie.cli import main

    assert main(["predict", str(samples / "grace_hopper.jpg"), "--provider", "cudda"]) == SettingError.exit_code
    assert "Did you mean 'cuda'" in capsys.readouterr().err
