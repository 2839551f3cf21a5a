"""Describes a task's texts and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Literal

import numpy as np
from pydantic import Field

from bench.types.record import Record


@dataclass(frozen=True)
class Split:
    """Labelled texts: ids int64 (n,) name the rows of the source split, labels int64 (n,) index the classes."""

    texts: tuple[str, ...]
    labels: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> Split:
        """The given rows, in the given order; rows is an int array of positions."""
        return Split(tuple(self.texts[row] for row in rows), self.labels[rows], self.ids[rows])

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over ids, labels and texts, in order."""
        digest = sha256()
        for row_id, label, text in zip(self.ids, self.labels, self.texts, strict=True):
            encoded = text.encode("utf-8")
            digest.update(b"%d\t%d\t%d\t" % (row_id, label, len(encoded)))
            digest.update(encoded)
        return digest.hexdigest()


class Wording(Record):
    """Another way to ask, or a part of one; None leaves the part as it is. Words are one a class, or by class."""

    template: str | None = None
    question: str | None = None
    noun: str | None = None
    label_words: tuple[str, ...] | dict[str, str] | None = None
    descriptions: tuple[str, ...] | dict[str, str] | None = None


class Prompt(Record):
    """How a language model is asked: `template` holds {text} and may hold {options}; one label word a class.

    `noun` and `question` make the multiple-choice prompt: the noun names the text, the question asks for its class.
    `descriptions` say what each class means. An `exact` template is asked as it stands, for words and letters alike.
    `wordings` are other ways to ask, by name.
    """

    template: str
    label_words: tuple[str, ...]
    noun: str = "Text"
    question: str = "Which class does the text belong to?"
    descriptions: tuple[str, ...] = ()
    exact: bool = False
    wordings: dict[str, Wording] = Field(default_factory=dict)


class Source(Record):
    """Where the texts came from, as the tables print it."""

    kind: Literal["local", "hub-cache", "hub", "package", "sample"]
    name: str
    revision: str | None = None
    licence: str | None = None
    note: str | None = None


class SplitSizes(Record):
    train: int
    validation: int
    test: int


class DataCheck(Record):
    """What a look at the texts and labels found before anything was trained.

    `texts` were looked at. duplicates: texts that stand in the data again but for case, spaces and signs; near: pairs
    that are nearly the same; leaked: test texts that are also, exactly or nearly, in train or validation; conflicting:
    texts that occur with two labels. doubtful: labels that confident learning holds for wrong, of them `doubtful_test`
    in test, by id, the likeliest errors first.
    """

    texts: int
    duplicates: int
    near: int
    leaked: int
    conflicting: int
    doubtful: int | None
    doubtful_test: tuple[int, ...] = ()


class DataCard(Record):
    """What a table says about its data; `sizes` were used, `full_sizes` were there.

    own_test: whether test is the data's own test split, and no part cut off train and no validation split.
    """

    task: str
    title: str
    language: str
    class_names: tuple[str, ...]
    source: Source
    sizes: SplitSizes
    full_sizes: SplitSizes
    fingerprint: str
    notes: tuple[str, ...] = ()
    check: DataCheck | None = None
    own_test: bool = True


@dataclass(frozen=True)
class Dataset:
    """A task's texts, cut into train, validation and test, and what is known of them."""

    name: str
    title: str
    language: str
    class_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    full_sizes: SplitSizes
    source: Source
    prompt: Prompt
    notes: tuple[str, ...] = ()
    check: DataCheck | None = None
    own_test: bool = True

    @cached_property
    def fingerprint(self) -> str:
        """Hex sha256 over class names and the three splits."""
        parts = (
            "\x1f".join(self.class_names),
            self.train.fingerprint,
            self.validation.fingerprint,
            self.test.fingerprint,
        )
        return sha256("\x1e".join(parts).encode("utf-8")).hexdigest()

    @property
    def card(self) -> DataCard:
        sizes = SplitSizes(train=len(self.train), validation=len(self.validation), test=len(self.test))
        return DataCard(
            task=self.name,
            title=self.title,
            language=self.language,
            class_names=self.class_names,
            source=self.source,
            sizes=sizes,
            full_sizes=self.full_sizes,
            fingerprint=self.fingerprint,
            notes=self.notes,
            check=self.check,
            own_test=self.own_test,
        )
