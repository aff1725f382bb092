"""Fixtures that all tests may use, and what makes a test give the same on every machine and in any order."""

from __future__ import annotations

import gc
import importlib.util
import os
import random
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

if TYPE_CHECKING:
    from tronie.core.timeline import Timeline

REPO = Path(__file__).resolve().parents[1]

# What a terminal, a cluster or a user's shell may have set, and what the tested code or a library would follow.
for name in (
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "MPLBACKEND",
    "NODE_PATH",
    "RAY_ADDRESS",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "OMP_PROC_BIND",
):
    os.environ.pop(name, None)
if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores: threads that wait for each other cost time only
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Load makes examples slow, which is no fault of the code; and two runs of one tree must not differ.
hypothesis_settings.register_profile(
    "same", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile(
    "drawn", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("same")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--draw N``: other random numbers than by default, and the tests in another order."""
    parser.addoption("--draw", type=int, default=0, help="other random numbers, and the tests shuffled; 0: neither")


def pytest_configure(config: pytest.Config) -> None:
    """With ``--draw`` Hypothesis looks for new examples, too."""
    if config.getoption("draw"):
        hypothesis_settings.load_profile("drawn")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle the files, and the tests of each file, so that fixtures of a file are still made once."""
    if draw := config.getoption("draw"):
        shuffled = random.Random(draw)
        places = {path: shuffled.random() for path in sorted({item.path for item in items})}
        order = {item: (places[item.path], shuffled.random()) for item in sorted(items, key=lambda item: item.nodeid)}
        items.sort(key=order.__getitem__)


def _seed(config: pytest.Config, name: str) -> None:
    """Seed every generator that a test may draw from without one of its own: by its name, so that order is nothing."""
    seed = zlib.crc32(f"{config.getoption('draw')} {name}".encode())
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest) -> None:
    """A fixture of a file or session draws the same whichever test asks for it first."""
    _seed(request.config, f"{fixturedef.baseid}::{fixturedef.argname}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Each test draws the same whatever ran before it, and leaves PyTorch's threads as they were."""
    _seed(item.config, item.nodeid)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    yield
    if torch and torch.get_num_threads() != threads:  # training sets its own
        torch.set_num_threads(threads)


@pytest.fixture(scope="module", autouse=True)
def quick_collection() -> None:
    """What lives when a file's tests begin stays: a full collection, which closing a film does, passes over it.

    With all tests and libraries in memory it took 0.3 s of each film.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data, which never enters the repository: ``TRONIE_DATA`` or ``../shared/data``."""
    folder = Path(os.environ.get("TRONIE_DATA") or REPO.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set TRONIE_DATA to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def samples() -> Path:
    """The two public-domain portraits that the repository carries."""
    return REPO / "examples" / "samples"


def _module(path: Path) -> ModuleType:
    """A file of this repository that is in no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(path.stem, module)  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def floors() -> ModuleType:
    """The checker of the architecture, ``tools/floors.py``, as a module."""
    return _module(REPO / "tools" / "floors.py")


@pytest.fixture(scope="session")
def fakes() -> ModuleType:
    """Writers of data sets in their official layouts, ``tests/fake_trees.py``."""
    return _module(REPO / "tests" / "fake_trees.py")


@pytest.fixture(scope="session")
def planted() -> ModuleType:
    """Films with planted faces, a detector that finds them and a model that reads their colour."""
    return _module(REPO / "tests" / "planted.py")


@pytest.fixture(scope="session")
def films() -> ModuleType:
    """Makers of small films in many containers, with a face that needs no network to be found, ``tests/films.py``."""
    return _module(REPO / "tests" / "films.py")


@pytest.fixture(scope="session")
def joined_films() -> ModuleType:
    """Films joined of parts with different tags, ``tests/joined_films.py``."""
    return _module(REPO / "tests" / "joined_films.py")


@pytest.fixture(scope="session")
def plain_net() -> ModuleType:
    """``tests/plain_net.py`` as a module: an encoder that costs little to export. Needs PyTorch."""
    pytest.importorskip("torch")
    return _module(REPO / "tests" / "plain_net.py")


@pytest.fixture(scope="session")
def timeline_of() -> Callable[..., Timeline]:
    """A maker of timelines: ``[(track, start, end, label), ...]`` in seconds becomes rows, see ``tests/told.py``."""
    make: Callable[..., Timeline] = _module(REPO / "tests" / "told.py").timeline_of
    return make


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium under Playwright; tests of pages in it are skipped, with the reason, where either is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium here: Debian's package 'chromium' has it")
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with driver.sync_playwright() as play:
        window = play.chromium.launch(executable_path=chromium, args=flags)
        yield window
        window.close()
