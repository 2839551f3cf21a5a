"""Reads a file's bytes, compressed or not, and decodes them; a guess at an encoding is named, never used."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from bench.errors import DataError

SIZE_LIMIT_BYTES = 4 * 2**30
COMPRESSED = (".gz", ".zip", ".zst", ".bz2", ".xz")
SNIFFED_BYTES = 100_000
GUESSES = 2
# What texts of today come in besides Unicode; without this list a German letter is taken for a printer's code page.
LIKELY_ENCODINGS = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "koi8_r",
    "gb18030", "big5", "cp932", "euc_jp", "cp949", "mac_roman",
)  # fmt: skip
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_CHUNK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db")


@dataclass(frozen=True)
class Content:
    """A file's bytes after unpacking, and the name they had inside."""

    path: Path
    name: str
    data: bytes

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()


def read_content(path: Path, limit_bytes: int = SIZE_LIMIT_BYTES) -> Content:
    """The bytes of a file, decompressed; DataError where it cannot be read or is larger than the limit."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
            file.seek(0)
            packing = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
            if packing is not None:
                name, data = _DECOMPRESS[packing](file, path, limit_bytes)
            else:
                name, data = path.name, _cap(file, path, limit_bytes)
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        raise DataError(f"{path} is damaged or half-downloaded ({error}); fetch it again") from error
    except RuntimeError as error:  # what zipfile raises for a member with a password
        raise DataError(f"{path}: {error}; unpack it first") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    if not data:
        raise DataError(f"{path} is empty")
    if packing is None and path.suffix.lower() in COMPRESSED:
        raise DataError(f"{path} is no {path.suffix} archive although its name says so; rename or fetch it again")
    return Content(path, name, data)


def _cap(stream: IO[bytes], path: Path, limit_bytes: int) -> bytes:
    parts, left = [], limit_bytes
    while chunk := stream.read(_CHUNK):
        left -= len(chunk)
        if left < 0:
            raise DataError(f"{path} holds more than {limit_bytes:,} bytes; give a smaller file or a part of it")
        parts.append(chunk)
    return b"".join(parts)


def _inner_name(path: Path) -> str:
    return path.stem if path.suffix.lower() in COMPRESSED else path.name


def _decompress_with(opened: Callable[[IO[bytes]], IO[bytes]]) -> Callable[[IO[bytes], Path, int], tuple[str, bytes]]:
    def decompress(file: IO[bytes], path: Path, limit_bytes: int) -> tuple[str, bytes]:
        with opened(file) as stream:
            return _inner_name(path), _cap(stream, path, limit_bytes)

    return decompress


def _zstd(file: IO[bytes]) -> IO[bytes]:
    import pyarrow as pa

    return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), "zstd")


def zip_members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files that a person packed: no folders, no litter of the packing program."""
    return [
        info
        for info in archive.infolist()
        if not info.is_dir() and not any(part in _LITTER for part in PurePosixPath(info.filename).parts)
    ]


def _unzip(file: IO[bytes], path: Path, limit_bytes: int) -> tuple[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        members = zip_members(archive)
        names = [info.filename for info in members]
        if "xl/workbook.xml" in names:
            raise DataError(f"{path} is an Excel workbook; save its sheet as CSV UTF-8 and give that")
        if len(members) != 1:
            shown = ", ".join(names[:5]) or "nothing"
            raise DataError(
                f"{path} holds {len(members)} files ({shown}); unpack it and give the folder or one of them"
            )
        with archive.open(members[0]) as stream:
            return PurePosixPath(names[0]).name, _cap(stream, path, limit_bytes)


_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
)
_DECOMPRESS: dict[str, Callable[[IO[bytes], Path, int], tuple[str, bytes]]] = {
    "gzip": _decompress_with(lambda file: gzip.GzipFile(fileobj=file)),  # type: ignore[arg-type,return-value]
    "bzip2": _decompress_with(bz2.BZ2File),
    "xz": _decompress_with(lzma.LZMAFile),
    "zstd": _decompress_with(_zstd),
    "zip": _unzip,
}


# ---------------------------------------------------------------- encodings


def decode(content: Content, encoding: str | None) -> tuple[str, str]:
    """The text without a byte-order mark, and the encoding it had.

    A byte-order mark comes first, then `encoding`, then UTF-8. Raises DataError with the line of the first wrong byte
    and, as a guess for the user to confirm, the encoding that charset-normalizer finds.
    """
    data, path = content.data, content.path
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    chosen = marked or _known(path, encoding) or "utf-8"
    if marked is None and encoding is None and b"\0" in data[:SNIFFED_BYTES]:
        guess = "utf-16-le" if data[:SNIFFED_BYTES:2].count(0) < data[1:SNIFFED_BYTES:2].count(0) else "utf-16-be"
        raise DataError(
            f"{path} holds zero bytes: UTF-16 without its mark? give --encoding {guess}, or save it as UTF-8"
        )
    try:
        return data.decode(chosen), chosen.removesuffix("-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        if marked or encoding:
            raise DataError(f"{path} line {line} is not {chosen} text; give another --encoding") from error
        raise DataError(f"{path} line {line} is not UTF-8 text; {_guess(data, error.start)}") from error


def _known(path: Path, encoding: str | None) -> str | None:
    if encoding is None:
        return None
    try:
        found = codecs.lookup(encoding)
        "".encode(found.name)  # hex, zip and other codecs that encode no text raise LookupError here
    except (LookupError, ValueError) as error:
        raise DataError(
            f"{path}: Python knows no encoding '{encoding}'; e.g. --encoding cp1252, gb18030, shift_jis, latin-1"
        ) from error
    return found.name


def _guess(data: bytes, wrong: int) -> str:
    """What the text may be encoded in, for the user to judge by what it reads: a guess is never used."""
    start = data.rfind(b"\n", 0, max(0, wrong - SNIFFED_BYTES // 2)) + 1
    sample = data[start : start + SNIFFED_BYTES]
    encodings = list(dict.fromkeys([*_plain_guesses(sample), *_library_guesses(sample)]))[:GUESSES]
    if not encodings:
        return "give its --encoding, or save the file as UTF-8"
    near = data[data.rfind(b"\n", 0, wrong) + 1 :].partition(b"\n")[0][:120]
    read = {encoding: " ".join(near.decode(encoding, "replace").split())[:40] for encoding in encodings}
    shown = "; ".join(f"--encoding {encoding} reads '{text}'" for encoding, text in read.items())
    return f"give the encoding that reads right: {shown}; or another, or save the file as UTF-8"


def _plain_guesses(sample: bytes) -> list[str]:
    """cp1252 where nearly all is ASCII and the rest letters, Japanese where kana comes out: libraries miss these."""
    found = []
    western = _decode(sample, "cp1252")
    if western is not None:
        odd = [character for character in western if not character.isascii()]
        usual = all(character.isalpha() or character in "“”‘’–—…€«»°" for character in odd)
        if usual and len(odd) < 0.4 * len(western):
            found.append("cp1252")
    for encoding in ("cp932", "euc_jp"):
        text = _decode(sample, encoding)
        if text is not None and sum("\u3040" <= character <= "\u30fa" for character in text) > 0.05 * len(text):
            found.append(encoding)
    return found


def _library_guesses(sample: bytes) -> list[str]:
    from charset_normalizer import from_bytes

    return [match.encoding for match in from_bytes(sample, cp_isolation=list(LIKELY_ENCODINGS))]


def _decode(sample: bytes, encoding: str) -> str | None:
    """The sample but for a character that its end may cut."""
    for cut in range(3):
        try:
            return sample[: len(sample) - cut].decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


def text_lines(text: str) -> Iterator[str]:
    """The lines of a text with their ends as they are; StringIO would hold four bytes a character beside it."""
    return (match[0] for match in _LINE.finditer(text))
