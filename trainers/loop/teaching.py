"""Lets a trained classifier teach another: its probabilities of the training texts, and of texts without labels."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from pydantic import Field, model_validator
from safetensors.numpy import load, save

from bench import registry
from bench.classifiers.folder import load_whole_classifier
from bench.errors import DataError, NotAvailable, UsageError
from bench.files.cache import write_whole
from bench.types import Classifier, Dataset, EngineSpec, Progress, Split, Workplace
from trainers.params import Params

ENGINES = {"linear": "sklearn"}  # of every other kind: eager, the reference
CHUNK_TEXTS = 512


class TeachingParams(Params):
    """Soft targets as one more loss (Hinton et al. 2015).

    teacher: the folder of a trained classifier of the same classes, of any kind. distil: the share of the loss that
    compares with its probabilities, at distil_temperature; the rest is cross-entropy with the labels: with 1 no label
    of train counts. unlabelled_file: more texts, one a line, which the teacher labels.
    """

    teacher: str | None = None
    distil: float = Field(default=0.9, ge=0.0, le=1.0)
    distil_temperature: float = Field(default=2.0, gt=0.0)
    unlabelled_file: str | None = None

    @model_validator(mode="after")
    def _unlabelled_texts_need_a_teacher(self) -> TeachingParams:
        if self.unlabelled_file and not self.teacher:
            raise ValueError(
                "unlabelled_file: texts without labels need a teacher; set teacher to a classifier's folder"
            )
        return self


@dataclass(frozen=True)
class Taught:
    """The training texts, with the unlabelled ones behind them; soft: the teacher's probabilities float32 (n, k)."""

    train: Split
    soft: np.ndarray | None = None
    teacher_s: float = 0.0
    notes: tuple[str, ...] = ()


def ask_teacher(params: TeachingParams, data: Dataset, place: Workplace, progress: Progress) -> Taught:
    """What a student learns from; without a teacher the data's own train.

    Answers are kept in the cache with the seconds they took, which every student is charged.
    Raises UsageError where the teacher knows other classes, NotAvailable where it answers behind an endpoint.
    """
    if params.teacher is None:
        return Taught(data.train)
    teacher = load_whole_classifier(Path(params.teacher).expanduser())
    if sorted(teacher.class_names) != sorted(data.class_names):
        raise UsageError(
            f"the teacher {params.teacher} knows the classes {', '.join(teacher.class_names)}, "
            f"the task has {', '.join(data.class_names)}"
        )
    if teacher.kind == "served":
        raise NotAvailable("a teacher behind an endpoint cannot be asked from here; take a classifier with weights")
    more = _read_lines(params.unlabelled_file) if params.unlabelled_file else ()
    texts = (*data.train.texts, *more)
    found, seconds = _answers(teacher, texts, place, progress)
    soft = found[:, [teacher.class_names.index(name) for name in data.class_names]]
    labels = np.concatenate([data.train.labels, soft[len(data.train) :].argmax(axis=1)]).astype(np.int64)
    first = int(data.train.ids.max()) + 1
    ids = np.concatenate([data.train.ids, np.arange(first, first + len(more))])
    note = f"taught by {Path(params.teacher).name} in {seconds:.1f} s, soft targets {params.distil:g} of the loss"
    unlabelled = f"; {len(more):,} texts more without labels" if more else ""
    return Taught(Split(texts, labels, ids), soft, seconds, (note + unlabelled,))


def _read_lines(file: str) -> tuple[str, ...]:
    path = Path(file).expanduser()
    try:
        lines = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"unlabelled_file {path} cannot be read ({error}); one text a line, in UTF-8") from error
    if not lines:
        raise DataError(f"unlabelled_file {path} has no text; one text a line")
    return lines


def _answers(
    teacher: Classifier, texts: tuple[str, ...], place: Workplace, progress: Progress
) -> tuple[np.ndarray, float]:
    digest = sha256(teacher.sha256.encode())
    for text in texts:
        digest.update(len(text).to_bytes(8, "little") + text.encode("utf-8", "surrogatepass"))
    path = place.cache / "teachers" / f"{digest.hexdigest()[:32]}.safetensors"
    if path.exists():
        kept = load(path.read_bytes())
        return kept["probabilities"], float(kept["seconds"][0])
    name = ENGINES.get(teacher.kind, "eager")
    spec = EngineSpec(name=name, title=name, backend=name, precision="fp32", reference=True)
    session = registry.find("backend", name)(spec, replace(place, checkpoint=None)).load(teacher)
    started = time.perf_counter()
    parts = []
    for start in range(0, len(texts), CHUNK_TEXTS):
        parts.append(session.predict(texts[start : start + CHUNK_TEXTS]).probabilities)
        progress("asking the teacher", min(start + CHUNK_TEXTS, len(texts)), len(texts))
    seconds = time.perf_counter() - started
    session.close()
    probabilities = np.concatenate(parts)
    write_whole(path, save({"probabilities": probabilities, "seconds": np.array([seconds])}))
    return probabilities, seconds
