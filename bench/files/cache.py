"""Keeps downloads, conversions, prepared data and trained classifiers between runs."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

SCRATCH = ".bench-scratch-"  # how names of what is being written begin, so that nothing of others is ever cleared
FICLONE = 0x40049409  # linux/fs.h: let one file share the blocks of another until one is written to
ABANDONED_S = 3 * 86_400.0  # longer than the longest time limit of a training


def cache_dir() -> Path:
    """BENCH_CACHE, else XDG_CACHE_HOME/bench, else ~/.cache/bench."""
    if chosen := os.environ.get("BENCH_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bench"


@lru_cache(maxsize=4096)
def file_name(text: str, most_bytes: int = 80) -> str:
    """A name for files from a name that people chose: no separators or control characters, never too long.

    What does not fit is replaced by a hash of the whole, so that two long names stay two.
    """
    name = "".join("-" if letter in "/\\" or not letter.isprintable() else letter for letter in text).lstrip(".") or "-"
    if len(name.encode("utf-8")) <= most_bytes and name == text.replace("/", "-"):
        return name
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name.encode('utf-8', 'replace')[: most_bytes - 9].decode('utf-8', 'ignore')}~{digest}"


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Yield a scratch folder that becomes `target` on success and vanishes on any error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=_scratch_prefix(target), dir=target.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        if not target.exists():
            scratch.replace(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_whole(path: Path, content: bytes, durable: bool = True) -> None:
    """Write a file so that a reader sees the old content or the new, never a part; a device or pipe is written into."""
    if not is_replaceable(path):
        path.write_bytes(content)
        return
    with write_beside(path, content, durable) as scratch:
        scratch.replace(path)


def _scratch_prefix(target: Path) -> str:
    """What is written beside the target shows whose it is, and fits where a long name just fits."""
    return f"{SCRATCH}{target.name[:40]}."


def _open_scratch(target: Path, place: Path | None) -> tuple[int, str]:
    """Raises OSError that names the target: nobody knows the file beside it."""
    try:
        return tempfile.mkstemp(prefix=_scratch_prefix(target), dir=place)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(target)) from error


def is_replaceable(path: Path) -> bool:
    """Whether another file may take its place: not that of a device or pipe, such as /dev/null or /dev/stdout."""
    return path.parent != Path("/dev") and (path.is_file() or not path.exists())


@contextmanager
def write_beside(path: Path, content: bytes, durable: bool = True) -> Iterator[Path]:
    """Yield a file of the content in the folder that the path will be in; it vanishes unless it was moved.

    durable: on the disk, whatever becomes of the machine.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = _open_scratch(path, path.parent)
    scratch = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)  # mkstemp's files are for their owner alone
        yield scratch
    finally:
        scratch.unlink(missing_ok=True)


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Yield a scratch file that becomes `target` on success, in place of another one, and vanishes on any error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    place = target.parent if is_replaceable(target) else None
    handle, name = _open_scratch(target, place)
    os.close(handle)
    scratch = Path(name)
    try:
        yield scratch
        if place is None:
            target.write_bytes(scratch.read_bytes())
            return
        scratch.chmod(0o644)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)


def clear_abandoned(cache: Path) -> None:
    """Delete what killed processes left half-written in the cache; younger scratch may be another process's."""
    for path in cache.glob(f"*/{SCRATCH}*"):
        try:
            if time.time() - path.lstat().st_mtime < ABANDONED_S:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError:
            continue  # another run cleared it first, or it is not ours to delete


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def clone_or_copy(source: Path, target: Path) -> None:
    """A file of its own with the same content, sharing blocks on disk where the file system can (a reflink).

    For everything that people may write to: whoever changes the one leaves the other as it was.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as content, target.open("wb") as copy:
        try:
            fcntl.ioctl(copy.fileno(), FICLONE, content.fileno())
        except OSError:
            shutil.copyfileobj(content, copy, 1 << 20)


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file of the cache or of the hub's, which nobody writes to; a copy where that cannot be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
