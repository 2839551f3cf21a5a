"""Finds the source files that a job imports, through the modules it names and all that those name in turn."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_OWN = frozenset({"bench", "backends", "reports", "trainers"})


@cache
def source_digest(modules: tuple[str, ...]) -> str:
    """Hex sha256 over the source of the modules and of every module they import, directly or not."""
    return digest_of(imported_files(modules))


def digest_of(files: Mapping[str, Path]) -> str:
    """Hex sha256 over names and contents."""
    digest = sha256()
    for name, path in sorted(files.items()):
        digest.update(f"{name}\n".encode())
        digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def imported_files(modules: Iterable[str]) -> dict[str, Path]:
    """The files behind the modules, their packages and all they import, by dotted name.

    Only modules of the harness and of the packages that `modules` belong to are followed: the versions of other
    packages stand in every key by themselves. Imports inside functions count, those for type checkers alone do not.
    """
    waiting = list(modules)
    followed = _OWN | {name.partition(".")[0] for name in waiting}
    found: dict[str, Path] = {}
    while waiting:
        for name in _with_packages(waiting.pop()):
            path = None if name in found else _file_of(name)
            if path is not None:
                found[name] = path
                waiting += (imported for imported in _imports(path, name) if imported.partition(".")[0] in followed)
    return found


def _with_packages(name: str) -> Iterator[str]:
    """a.b.c: a, a.b and a.b.c, as importing it runs all three."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


@cache
def _file_of(name: str) -> Path | None:
    """The source of a module; None for a name that is no module, such as a function that was imported."""
    top, _, rest = name.partition(".")
    folder = _ROOT / top if top in _OWN else _folder_of_package(top)
    if folder is None:
        return None
    place = folder.joinpath(*rest.split(".")) if rest else folder
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


def _folder_of_package(top: str) -> Path | None:
    spec = find_spec(top)
    return Path(spec.origin).parent if spec and spec.origin and spec.submodule_search_locations else _single_file(spec)


def _single_file(spec: object) -> Path | None:
    origin = getattr(spec, "origin", None)
    return Path(origin).with_suffix("") if origin else None


@cache
def _imports(path: Path, name: str) -> tuple[str, ...]:
    return tuple(_named_in(path, name))


def _named_in(path: Path, name: str) -> Iterator[str]:
    for node in _run_nodes(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, name, is_package=path.name == "__init__.py")
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, name: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    base = parts[: len(parts) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def _run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below but those under `if TYPE_CHECKING:`, which no job runs."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield other
                yield from _run_nodes(other)
            continue
        yield child
        yield from _run_nodes(child)
