"""Keeps objects in what fsspec reaches, such as S3; a store that lets two writers make one object is refused."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bench.errors import NotAvailable, StoreError
from bench.files.cache import whole_file

PATIENCE_S = 300.0  # how long a store may be away before the run stops
PAUSE_S = 1.0
Found = TypeVar("Found")


class RemoteStore:
    """Objects below an fsspec URL; a store that is away for a while is asked again."""

    def __init__(self, root: str, patience_s: float = PATIENCE_S) -> None:
        self.root = root.rstrip("/")
        self._patience_s = patience_s
        try:
            import fsspec

            self._files, self._base = fsspec.core.url_to_fs(self.root, use_listings_cache=False)
        except ImportError as error:
            raise NotAvailable(
                f"--store {root} needs the library of its protocol ({error}); for s3:// pip install -e '.[s3]'"
            ) from error
        except ValueError as error:
            raise StoreError(f"--store {root}: {error}") from error
        self._refuse_careless()

    def _refuse_careless(self) -> None:
        """Leases stand on `put_new`: a store that ignores its condition would let two workers measure one cell."""
        name = f"probe/{secrets.token_hex(8)}"
        try:
            if not self.put_new(name, b"first") or self.put_new(name, b"second"):
                raise StoreError(
                    f"--store {self.root}: it writes over an object that is to be new; it cannot be shared"
                )
        except NotImplementedError as error:
            raise StoreError(f"--store {self.root}: it cannot make an object only if it is new; use another") from error
        self.delete(name)

    def get(self, name: str) -> bytes | None:
        """See ObjectStore."""

        def read() -> bytes | None:
            try:
                content: bytes = self._files.cat_file(self._path(name))
            except FileNotFoundError:
                return None
            return content

        return self._patiently(read)

    def put(self, name: str, content: bytes, durable: bool = True) -> None:
        """What the server confirmed is as durable as the server."""
        self._patiently(lambda: self._files.pipe_file(self._path(name), content))

    def put_new(self, name: str, content: bytes, durable: bool = True) -> bool:
        """Where the answer to a first try was lost, the object is this writer's if it holds what it wrote."""

        lost = False

        def write() -> bool:
            nonlocal lost
            try:
                self._files.pipe_file(self._path(name), content, mode="create")
            except Exception as error:
                if not _is_taken(error):
                    lost = True
                    raise
                return lost and self.get(name) == content
            return True

        return self._patiently(write)

    def delete(self, name: str) -> None:
        """See ObjectStore."""

        def remove() -> None:
            try:
                self._files.rm_file(self._path(name))
            except FileNotFoundError:
                return

        self._patiently(remove)

    def names(self, folder: str) -> list[str]:
        """See ObjectStore."""

        def read() -> list[str]:
            try:
                return sorted(path.rstrip("/").rpartition("/")[2] for path in self._files.ls(self._path(folder), False))
            except FileNotFoundError:
                return []

        return self._patiently(read)

    def put_file(self, name: str, source: Path) -> None:
        """See ObjectStore."""

        def write() -> None:
            if not self._files.exists(self._path(name)):
                self._files.put_file(str(source), self._path(name))

        self._patiently(write)

    def get_file(self, name: str, target: Path) -> bool:
        """See ObjectStore."""

        def read() -> bool:
            try:
                with whole_file(target) as scratch:
                    self._files.get_file(self._path(name), str(scratch))
            except FileNotFoundError:
                return False
            return True

        return self._patiently(read)

    def _path(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}"

    def _patiently(self, ask: Callable[[], Found]) -> Found:
        """Ask until there is an answer; raises StoreError when there has been none for too long."""
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                return ask()
            except NotImplementedError:
                raise
            except (PermissionError, FileNotFoundError) as error:
                raise StoreError(f"--store {self.root}: {error}") from error
            except Exception as error:
                if not _is_passing(error):
                    raise StoreError(f"--store {self.root}: {type(error).__name__}: {error}") from error
                if time.monotonic() > deadline:
                    raise StoreError(f"--store {self.root} does not answer: {error}") from error
                time.sleep(PAUSE_S)


def _is_taken(error: Exception) -> bool:
    """Whether a store says that there is such an object: HTTP 412, or what fsspec makes of it."""
    return isinstance(error, FileExistsError) or "PreconditionFailed" in repr(error) or "pre-condition" in str(error)


def _is_passing(error: Exception) -> bool:
    """Whether the store may answer later: a connection that failed, or an overloaded server."""
    names: Any = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"OSError", "ConnectionError", "HTTPClientError", "ClientConnectionError", "TimeoutError"})
