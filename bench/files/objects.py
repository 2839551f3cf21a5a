"""Keeps objects by name under one root, a folder or an fsspec URL, for many writers at once.

An object appears whole or not at all; `put_new` succeeds for one writer only. `durable`: whether an object must
outlive the machine's own failure; waiting for the disk is most of what writing a small one costs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from bench.errors import StoreError
from bench.files.cache import clone_or_copy, whole_file, write_beside, write_whole

URL_MARK = "://"


class ObjectStore(Protocol):
    """What leases, results and classifiers are kept in; names are paths with "/" between their parts."""

    root: str

    def get(self, name: str) -> bytes | None:
        """The content; None where there is none."""

    def put(self, name: str, content: bytes, durable: bool = True) -> None:
        """Write it, over another one."""

    def put_new(self, name: str, content: bytes, durable: bool = True) -> bool:
        """Write it unless there is one; False where another writer was first."""

    def delete(self, name: str) -> None:
        """Remove it, if it is there."""

    def names(self, folder: str) -> list[str]:
        """The last parts of the names right below a folder, sorted."""

    def put_file(self, name: str, source: Path) -> None:
        """Write a file's content, unless there is an object of the name: for names that are their content's hash."""

    def get_file(self, name: str, target: Path) -> bool:
        """Bring the content into a file; False where there is none."""


def open_store(root: str) -> ObjectStore:
    """A folder, or what fsspec knows: s3://bucket/path, gs://bucket/path. Raises NotAvailable without its library."""
    if URL_MARK not in root:
        return FolderStore(Path(root))
    from bench.files.remote_objects import RemoteStore

    return RemoteStore(root)


class FolderStore:
    """Objects as files of a folder, which several machines may share."""

    def __init__(self, folder: Path) -> None:
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"--store {folder} is a file; name a folder")
        self.folder = folder
        self.root = str(folder)

    def get(self, name: str) -> bytes | None:
        """See ObjectStore."""
        try:
            return (self.folder / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def put(self, name: str, content: bytes, durable: bool = True) -> None:
        """See ObjectStore."""
        write_whole(self.folder / name, content, durable)

    def put_new(self, name: str, content: bytes, durable: bool = True) -> bool:
        """A hard link is made by one of many only, on network file systems too."""
        path = self.folder / name
        if path.exists():
            return False
        with write_beside(path, content, durable) as scratch:
            try:
                path.hardlink_to(scratch)
            except FileExistsError:
                return False
        return True

    def delete(self, name: str) -> None:
        """See ObjectStore."""
        (self.folder / name).unlink(missing_ok=True)

    def names(self, folder: str) -> list[str]:
        """See ObjectStore."""
        try:
            with os.scandir(self.folder / folder) as entries:
                return sorted(entry.name for entry in entries if not entry.name.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def put_file(self, name: str, source: Path) -> None:
        """See ObjectStore."""
        if not (self.folder / name).exists():
            with whole_file(self.folder / name) as scratch:
                clone_or_copy(source, scratch)

    def get_file(self, name: str, target: Path) -> bool:
        """See ObjectStore."""
        if not (self.folder / name).is_file():
            return False
        clone_or_copy(self.folder / name, target)
        return True
