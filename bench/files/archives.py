"""Takes single members out of zip and tar.gz archives: found by name, never a link, never larger than a cap."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeVar

from bench.errors import AssetError

CHUNK = 1 << 20
_Info = TypeVar("_Info", zipfile.ZipInfo, tarfile.TarInfo)


def read_member(archive: Path, member: str, limit_bytes: int, inner: str | None = None) -> bytes:
    """The content of one member, or of the member `inner` of the archive that it is.

    Raises AssetError when the archive is damaged, lacks the member, holds it twice, or when the member is a link, no
    plain file, has a name that leaves the archive, or is larger than `limit_bytes`.
    """
    content = io.BytesIO()
    _copy(archive.open("rb"), str(archive), member, limit_bytes, content.write)
    if inner is None:
        return content.getvalue()
    unpacked = io.BytesIO()
    _copy(io.BytesIO(content.getvalue()), f"{archive}:{member}", inner, limit_bytes, unpacked.write)
    return unpacked.getvalue()


def copy_member(archive: Path, member: str, limit_bytes: int, target: Path) -> None:
    """Write one member to the file `target`, whose name is ours and not the archive's; errors as read_member."""
    with target.open("wb") as file:
        _copy(archive.open("rb"), str(archive), member, limit_bytes, file.write)


def _copy(file: IO[bytes], where: str, member: str, limit_bytes: int, write: Callable[[bytes], object]) -> None:
    path = PurePosixPath(member)
    if path.is_absolute() or ".." in path.parts or "\\" in member:
        raise AssetError(f"{where}: the member name '{member}' leaves the archive; refused")
    try:
        with file, _open_member(file, where, member, limit_bytes) as stream:
            left = limit_bytes
            while chunk := stream.read(CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise AssetError(f"{where}: {member} is larger than {limit_bytes:,} bytes; refused")
                write(chunk)
    # NotImplementedError is what zipfile raises for a header whose method or version is not one it knows
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, NotImplementedError) as error:
        raise AssetError(f"{where} is damaged or half-downloaded ({error}); delete it and run again") from error


@contextmanager
def _open_member(file: IO[bytes], where: str, member: str, limit_bytes: int) -> Iterator[IO[bytes]]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive, _zip_member(archive, where, member, limit_bytes) as stream:
            yield stream
        return
    file.seek(0)
    with tarfile.open(fileobj=file, mode="r:gz") as tar, _tar_member(tar, where, member, limit_bytes) as stream:
        yield stream


def _zip_member(archive: zipfile.ZipFile, where: str, member: str, limit_bytes: int) -> IO[bytes]:
    found = [info for info in archive.infolist() if info.filename == member]
    info = _only(found, where, member)
    mode = info.external_attr >> 16
    plain = not info.is_dir() and (stat.S_IFMT(mode) in (0, stat.S_IFREG)) and not info.flag_bits & 1
    _require_plain(plain, info.file_size, where, member, limit_bytes)
    return archive.open(info)


def _tar_member(archive: tarfile.TarFile, where: str, member: str, limit_bytes: int) -> IO[bytes]:
    found = [info for info in archive if info.name == member]
    info = _only(found, where, member)
    _require_plain(info.isreg() and not info.issparse(), info.size, where, member, limit_bytes)
    stream = archive.extractfile(info)
    if stream is None:
        raise AssetError(f"{where}: {member} is no plain file; refused")
    return stream


def _only(found: list[_Info], where: str, member: str) -> _Info:
    if not found:
        raise AssetError(f"{where} has no member {member}; it is not the archive that was expected")
    if len(found) > 1:
        raise AssetError(f"{where} holds {member} {len(found)} times; refused")
    return found[0]


def _require_plain(plain: bool, size: int, where: str, member: str, limit_bytes: int) -> None:
    if not plain:
        raise AssetError(f"{where}: {member} is a link or no plain file; refused")
    if size > limit_bytes:
        raise AssetError(f"{where}: {member} is {size:,} bytes, larger than {limit_bytes:,}; refused")
