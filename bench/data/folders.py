"""Reads a folder of texts: a file or several shards a part, a folder a class, or one file alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from bench.data.cells import make_table
from bench.data.content import decode, read_content
from bench.data.parts import UNLABELLED, class_folders, files_below, is_data, part_of_name, parts_among
from bench.data.readers import data_suffixes, read_table
from bench.data.reading import Reading
from bench.data.tables import Facts, Rows, Table
from bench.errors import DataError

PARTS = ("train", "validation", "test")


def has_train(folder: Path) -> bool:
    """Whether the folder holds a data set of its own, not only folders of others."""
    return bool(_splits(folder)) or _single(folder) is not None


def read_folder(folder: Path, reading: Reading) -> dict[str, Table]:
    """A table a part; raises DataError when there is no train part."""
    parts = _splits(folder)
    if "train" in parts:
        tables = {part: _read_part(sources, reading) for part, sources in parts.items()}
        _refuse_other_units(folder, tables)
        return tables
    single = _single(folder)
    if single is not None and not parts:
        return {"train": read_table(single, reading)}
    if parts:
        raise DataError(f"--data {folder}: it has a {' and a '.join(sorted(parts))} part, but no {wanted('train')}")
    several = [str(file) for file in files_below(folder) if is_data(file)]
    if several:
        raise DataError(
            f"--data {folder}: which of its {len(several)} files is it ({', '.join(several[:5])})? give one, or name "
            f"them {wanted('train')} and {wanted('test')}"
        )
    raise DataError(f"--data {folder}: no {wanted('train')} in it{hint(folder)}")


def read_files(parts: dict[str, list[Path]], reading: Reading) -> dict[str, Table]:
    """A table a part out of the files of each."""
    return {part: _read_part(files, reading) for part, files in parts.items()}


def wanted(part: str) -> str:
    return f"{part}.{{{','.join(suffix[1:] for suffix in data_suffixes())}}}"


def hint(folder: Path) -> str:
    """Which of the folders inside is meant, where some hold data sets."""
    tasks = tasks_in(folder)
    return f"; name one of its data sets, such as --data {folder / tasks[0]}" if tasks else ""


def tasks_in(folder: Path) -> list[str]:
    return sorted(child.name for child in folder.iterdir() if child.is_dir() and "train" in _splits(child))


# ---------------------------------------------------------------- what a folder holds


def _splits(folder: Path) -> dict[str, Sequence[Path] | dict[str, list[Path]]]:
    """The files of each part, or its folders of classes."""
    found: dict[str, Sequence[Path] | dict[str, list[Path]]] = {}
    for child in sorted(folder.iterdir()):
        part = part_of_name(child.name) if child.is_dir() else None
        if part is not None and class_folders(child):
            if part in found:
                raise DataError(f"{folder} has more than one {part} folder; keep one")
            found[part] = class_folders(child)
    if found:
        return found
    files = parts_among(str(folder), files_below(folder))
    if files:
        return {part: [folder / name for name in names] for part, names in files.items()}
    return {"train": classes} if (classes := class_folders(folder)) else {}


def _single(folder: Path) -> Path | None:
    files = [name for name in files_below(folder) if is_data(name)]
    return (
        folder / files[0] if len(files) == 1 and part_of_name(PurePosixPath(files[0]).stem) in (None, "train") else None
    )


def _read_part(source: Sequence[Path] | dict[str, list[Path]], reading: Reading) -> Table:
    if isinstance(source, dict):
        return _read_classes(source, reading)
    return join_tables([read_table(file, reading) for file in source])


def join_tables(tables: Sequence[Table]) -> Table:
    """Several shards as one table; every row still knows its file."""
    if len(tables) == 1:
        return tables[0]
    texts: list[str] = []
    labels: list[str] = []
    lines: list[int] = []
    rows: list[int] = []
    parts = []
    before = 0
    for table in tables:
        parts.append((len(texts), table.path))
        rows += [before + row for row in (range(len(table.texts)) if table.rows is None else table.rows)]
        before += len(table.texts) + table.dropped
        texts += table.texts
        labels += table.labels
        lines += table.lines
    return replace(
        tables[0],
        texts=texts,
        labels=labels,
        lines=lines,
        rows=rows if before > len(texts) else None,
        parts=tuple(parts),
        dropped=sum(table.dropped for table in tables),
        notes=tuple(dict.fromkeys(note for table in tables for note in table.notes)),
    )


def _read_classes(classes: dict[str, list[Path]], reading: Reading) -> Table:
    """One text a file, its class the folder's name."""
    cells: list[tuple[str, str]] = []
    parts: list[tuple[int, Path]] = []
    empty: list[Path] = []
    encoding = "utf-8"
    for name, files in classes.items():
        for file in files:
            text = ""
            if file.stat().st_size:
                text, encoding = decode(read_content(file), reading.encoding)
            if not text.strip():
                empty.append(file)
            parts.append((len(cells), file))
            cells.append((text.strip(), name))
    if empty and not reading.drop_empty:
        raise DataError(
            f"{empty[0]}: empty text ({len(empty):,} of {len(cells):,} files); remove them, or leave them out with "
            "--drop-empty"
        )
    folder = next(iter(classes.values()))[0].parents[1]
    notes = tuple(
        f"{child.name} holds texts without a class and is left out"
        for child in sorted(folder.iterdir())
        if child.is_dir() and child.name.lower() in UNLABELLED
    )
    facts = Facts("one text a file, one folder a class", encoding, None, ("text", "folder"), tuple(cells[:3]))
    rows = Rows(cells, list(range(1, len(cells) + 1)), ("text", "folder"), facts, unit="file", notes=notes)
    table = make_table(folder, rows, [0], 1, reading.drop_empty)
    return replace(table, parts=() if table.rows else tuple(parts))


def _refuse_other_units(folder: Path, tables: dict[str, Table]) -> None:
    """A test part whose label column is another one than train's is another question."""
    train = tables["train"]
    for part in PARTS[1:]:
        table = tables.get(part)
        if table is None or train.columns is None or table.columns is None:
            continue
        if train.columns[1] != table.columns[1]:
            raise DataError(
                f"{folder}: the labels are column '{train.columns[1]}' in {train.path.name} and "
                f"'{table.columns[1]}' in {table.path.name}; name one with --label-column"
            )
