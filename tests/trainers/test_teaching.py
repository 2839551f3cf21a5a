"""Distillation: the soft targets' loss, what a student learns without labels, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import tiny_bert, tiny_chat, toy_dataset
from tiny_trainings import SMALL_NETWORK, fit, logits_of, recipe

from bench import registry
from bench.errors import AssetError, DataError, UsageError
from bench.plan.keys import classifier_key
from bench.types import Classifier, Split
from trainers.loop.losses import LossParams, make_objective, soft_target_loss

pytestmark = pytest.mark.kernels
STUDENT = {"architecture": "bag", "ngrams": 1, **SMALL_NETWORK, "learning_rate": 2e-2}


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    return fit(recipe("tfidf"), toy_dataset(train=240), tmp_path_factory.mktemp("teacher") / "c")


def test_soft_targets_are_compared_at_a_temperature() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, taught = (torch.randn(5, 3, generator=generator) for _ in range(2))
    at = 3.0
    p, q = (taught / at).softmax(dim=1), (logits / at).softmax(dim=1)
    by_hand = at**2 * (p * (p / q).log()).sum()
    assert soft_target_loss(logits, taught.softmax(dim=1), at).item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert soft_target_loss(taught, taught.softmax(dim=1), at).item() == pytest.approx(0.0, abs=1e-5)


def test_the_share_of_the_loss_is_the_one_asked_for() -> None:
    module = torch.nn.Embedding.from_pretrained(torch.randn(4, 3))
    ids, labels, soft = torch.arange(4), torch.tensor([0, 1, 2, 0]), torch.softmax(torch.randn(4, 3), dim=1)

    def loss(share: float) -> float:
        objective = make_objective(LossParams(distil=share), labels.numpy(), 3)
        return float(objective(lambda ids, _mask: module(ids), ids, ids, labels, soft))

    assert loss(0.25) == pytest.approx(0.75 * loss(0.0) + 0.25 * loss(1.0), rel=1e-5)


def test_a_student_learns_without_a_right_label(tmp_path: Path, teacher: Classifier) -> None:
    data = toy_dataset(train=240, validation=60, test=60)
    wrong = replace(data, train=replace(data.train, labels=(data.train.labels + 1) % 3))
    made = recipe("network", **STUDENT, teacher=str(teacher.path), distil=1.0)
    student = fit(made, wrong, tmp_path / "c")
    assert right(student, data.test) > 0.6
    assert right(fit(recipe("network", **STUDENT), wrong, tmp_path / "plain"), data.test) < 0.3
    [note] = [note for note in student.manifest.fit.notes if "taught by" in note]
    assert "soft targets 1 of the loss" in note
    kept = list((tmp_path / "cache" / "teachers").iterdir())
    assert len(kept) == 1
    assert fit(made, wrong, tmp_path / "again").sha256 == student.sha256
    assert list((tmp_path / "cache" / "teachers").iterdir()) == kept


def test_texts_without_labels_are_learnt_from(tmp_path: Path, teacher: Classifier) -> None:
    data = toy_dataset(train=240, validation=60, test=60)
    few = replace(data, train=data.train.take(np.arange(6)))
    file = tmp_path / "more.txt"
    file.write_text("\n".join(data.train.texts[6:]), encoding="utf-8")
    student = fit(
        recipe("network", **STUDENT, teacher=str(teacher.path), unlabelled_file=str(file)), few, tmp_path / "c"
    )
    plain = fit(recipe("network", **STUDENT), few, tmp_path / "plain")
    assert student.manifest.fit.examples == 240
    assert right(student, data.test) > right(plain, data.test)


def test_a_fine_tune_is_taught_too(tmp_path: Path, teacher: Classifier) -> None:
    made = recipe("full-finetune", teacher=str(teacher.path), epochs=1, max_length=32)
    student = fit(made, toy_dataset(), tmp_path / "c", tiny_bert(tmp_path / "base"))
    assert any("taught by" in note for note in student.manifest.fit.notes)


def test_what_cannot_teach_or_learn_is_refused(tmp_path: Path, teacher: Classifier) -> None:
    other = replace(toy_dataset(), class_names=("a", "b", "c"))
    made = recipe("network", **STUDENT, teacher=str(teacher.path))
    with pytest.raises(UsageError, match="knows the classes sports, money, science, the task has a, b, c"):
        fit(made, other, tmp_path / "c")
    with pytest.raises(AssetError, match="is no classifier"):
        fit(recipe("network", **STUDENT, teacher=str(tmp_path)), toy_dataset(), tmp_path / "d")
    with pytest.raises(UsageError, match="texts without labels need a teacher"):
        registry.find("trainer", "network").check(recipe("network", **STUDENT, unlabelled_file="x"))
    with pytest.raises(DataError, match="one text a line"):
        fit(
            recipe("network", **STUDENT, teacher=str(teacher.path), unlabelled_file="/no/file"), toy_dataset(), tmp_path
        )
    with pytest.raises(UsageError, match="writes answers"):
        fit(recipe("sft", teacher=str(teacher.path)), toy_dataset(), tmp_path / "e", tiny_chat(tmp_path / "chat"))
    with pytest.raises(UsageError):
        made = recipe("library-trainer", teacher=str(teacher.path))
        fit(made, toy_dataset(), tmp_path / "f", tiny_bert(tmp_path / "b"))


def test_another_teacher_at_the_same_place_trains_anew(tmp_path: Path, teacher: Classifier) -> None:
    made, data = recipe("network", **STUDENT, teacher=str(teacher.path)), toy_dataset()
    before = classifier_key(data, made, None, None, 0, "cpu", 1)
    manifest = teacher.path / "manifest.json"
    kept = manifest.read_bytes()
    manifest.write_bytes(kept + b"\n")
    assert classifier_key(data, made, None, None, 0, "cpu", 1) != before
    manifest.write_bytes(kept)


def right(classifier: Classifier, split: Split) -> float:
    return float((logits_of(classifier, split.texts).argmax(axis=1) == split.labels).mean())
