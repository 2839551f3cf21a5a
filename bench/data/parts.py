"""Finds which files of a folder or a hub data set are train, validation and test, by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from bench.data.content import COMPRESSED
from bench.data.readers import data_suffixes
from bench.errors import DataError

# The words of the hub's library, and its three parts.
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
# Folders in which the hub and its library put the files; every other folder is another data set.
INNER = ("data", "default", "plain_text")
UNLABELLED = ("unsup", "unsupervised", "unlabeled", "unlabelled")
_NUMBERED = re.compile(r"(.*?)[-_.](\d+)[-_.]of[-_.](\d+)(-[0-9a-f]{8,})?$")
_SHARD = re.compile(r"[-_.]?\d+([-_.]of[-_.]\d+)?(-[0-9a-f]{8,})?$")
_ABOUT = ("dataset.json", "dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "metadata.json")
_ABOUT_STEMS = ("readme", "license", "licence", "classes", "labels", "requirements", "citation")


class MissingShard(DataError):
    """A file of several that belong together is not there."""


def part_of_name(name: str) -> str | None:
    """train, validation or test where a name says so as a word of its own, else None."""
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
    found = {part for part, known in WORDS.items() if any(word in known for word in words)}
    return found.pop() if len(found) == 1 else None


def stem_of(path: PurePosixPath | Path) -> str:
    """The name without the endings of its format and packing."""
    name = path.name
    while Path(name).suffix.lower() in (*data_suffixes(), *COMPRESSED):
        name = Path(name).stem
    return name


def is_data(path: PurePosixPath | Path) -> bool:
    """Whether a file can be a table of texts, by its name."""
    if path.name.lower() in _ABOUT or path.name.startswith(".") or stem_of(path).lower() in _ABOUT_STEMS:
        return False
    return path.suffix.lower() in data_suffixes()


def parts_among(where: str, files: Iterable[PurePosixPath]) -> dict[str, list[PurePosixPath]]:
    """The files of each part, shards in their order; files are paths relative to the folder `where`.

    Raises DataError where a part has two files that are no shards of one.
    """
    found: dict[str, list[PurePosixPath]] = {}
    for file in sorted(files):
        if not is_data(file) or not all(part in INNER or _whole_word(part) for part in file.parts[:-1]):
            continue
        part = part_of_name(stem_of(file)) or next((part_of_name(name) for name in file.parts[-2::-1]), None)
        if part is not None:
            found.setdefault(part, []).append(file)
    exact = {part: [file for file in files if _whole_word(stem_of(file))] for part, files in found.items()}
    found = {part: exact[part] or files for part, files in found.items()}
    for shards in found.values():
        if len({(file.parent, _SHARD.sub("", stem_of(file)), file.suffix) for file in shards}) > 1:
            raise DataError(f"{where} has both {shards[0]} and {shards[1]}; keep one")
        _require_all(where, shards)
    return found


def _require_all(where: str, shards: list[PurePosixPath]) -> None:
    """Raise MissingShard where the names (train-00000-of-00002) count more files than there are."""
    numbered = [match for file in shards if (match := _NUMBERED.fullmatch(stem_of(file)))]
    if not numbered:
        return
    there, count = {match[2] for match in numbered}, int(numbered[0][3])
    if len(there) < count:
        raise MissingShard(
            f"{where}: {shards[0].name} is one of {count:,} files, {count - len(there):,} of which are missing; "
            "fetch them too"
        )


def _whole_word(name: str) -> bool:
    """Whether a name is one of the words and nothing else."""
    return any(name.lower() in known for known in WORDS.values())


def files_below(folder: Path) -> list[PurePosixPath]:
    """The files of a folder and of the folders that the hub's library makes, relative to it."""
    found: list[PurePosixPath] = []
    for child in sorted(folder.iterdir()):
        if child.is_file():
            found.append(PurePosixPath(child.name))
        elif child.is_dir() and (child.name in INNER or _whole_word(child.name)):
            found += [PurePosixPath(child.name) / inner for inner in files_below(child)]
    return found


def class_folders(folder: Path) -> dict[str, list[Path]]:
    """Texts that stand one a file in a folder a class, sorted; empty where the folder is not laid out so."""
    found = {}
    for child in sorted(folder.iterdir()):
        if child.is_dir() and not child.name.startswith(".") and child.name.lower() not in UNLABELLED:
            inside = sorted(child.iterdir())
            texts = [file for file in inside if file.is_file() and file.suffix.lower() in (".txt", "")]
            if not texts or any(file.is_dir() for file in inside) or part_of_name(child.name):
                return {}
            if any(_whole_word(stem_of(file)) for file in texts):
                return {}
            found[child.name] = [file for file in texts if not file.name.startswith(".")]
    return found if len(found) > 1 else {}
