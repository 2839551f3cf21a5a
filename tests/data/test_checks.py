"""The look at the texts: what stands twice, with two labels, or with a label that is likely wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli.main import cli
from bench.data.assembly import Limits
from bench.data.checks.checks import check_dataset, check_notes, with_check
from bench.data.checks.duplicates import conflicting, find_duplicates, plain
from bench.data.checks.label_errors import confident_learning, find_label_errors, overlapping_classes
from bench.data.datasets import prepare_own_dataset
from bench.data.prepared import open_dataset, save_dataset
from bench.data.reading import AS_IT_IS
from bench.types import Dataset

WORDS = {"neg": ("dreary", "horrid", "awful", "clumsy", "boring"), "pos": ("lovely", "superb", "fine", "warm", "kind")}


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))


def made(count: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of two classes that their words tell apart, all different."""
    random = np.random.RandomState(seed)
    labels = np.arange(count) % 2
    texts = []
    for at, label in enumerate(labels):
        words = random.choice(WORDS[("neg", "pos")[label]], 3)
        others = " ".join(random.choice(list("abcdefghijklmnop"), 12))
        texts.append(f"{words[0]} {others} {words[1]} thing{at} {words[2]} end{random.randint(1000)}")
    return texts, labels


def test_exact_duplicates_but_for_case_spaces_and_signs() -> None:
    found = find_duplicates(["The coat, 1!", "the  COAT 1", "another text", "\U0001f600", "\U0001f621", "\U0001f600"])
    assert found.groups == ((0, 1), (3, 5))
    assert plain("Ａ-B  c") == "a b c"
    assert conflicting(found.groups, np.array([0, 1, 0, 1, 1, 1])) == [(0, 1)]


def test_near_duplicates_are_found_and_different_texts_are_not() -> None:
    texts, _ = made(200)
    changed = [f"{text} indeed" for text in texts[:20]]
    pairs = {(pair.first, pair.second) for pair in find_duplicates([*texts, *changed]).near}
    assert len(pairs & {(at, 200 + at) for at in range(20)}) >= 18
    assert len(pairs) <= 22
    chinese = [
        "这件外套非常好看我很喜欢它的颜色和款式下次还会再来买",
        "这件外套非常好看我很喜欢它的颜色和款式下次还会再来买的",
    ]
    assert [(pair.first, pair.second) for pair in find_duplicates(chinese).near] == [(0, 1)]


def test_planted_flips_come_first() -> None:
    texts, labels = made(600)
    planted = np.random.RandomState(1).permutation(600)[:30]
    flipped = labels.copy()
    flipped[planted] = 1 - flipped[planted]
    errors = find_label_errors(texts, flipped, 2, "en")
    assert errors is not None
    assert len(set(errors.order[:30].tolist()) & set(planted.tolist())) >= 27
    assert errors.doubtful[planted].mean() > 0.5
    assert errors.doubtful.mean() < 0.08


def test_confident_learning_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]])
    errors = confident_learning(probabilities, np.array([0, 0, 0, 1, 1]))
    # thresholds: class 0 (0.9 + 0.8 + 0.2) / 3 = 0.633, class 1 (0.9 + 0.7) / 2 = 0.8; only the third text is over
    # another class's threshold
    assert errors.doubtful.tolist() == [False, False, True, False, False]
    assert errors.order[0] == 2
    assert errors.joint.tolist() == [[2, 1], [0, 2]]
    assert overlapping_classes(errors) == [(0, 1, pytest.approx(1 / 3))]


def test_labels_of_a_class_with_one_text_are_not_judged() -> None:
    texts, labels = made(20)
    assert find_label_errors([*texts, "alone"], np.append(labels, 2), 3, "en") is None


def data_set(tmp_path: Path) -> Dataset:
    """A train and a test file; of test two texts stand in train and one label is wrong."""
    texts, labels = made(400)
    rows = [[text, ("neg", "pos")[label]] for text, label in zip(texts, labels, strict=True)]
    train, test = rows[:300], rows[300:]
    test[0][1] = "pos"
    test += [[train[0][0].upper(), train[0][1]], [train[1][0], "neg"]]
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, part in (("train", train), ("test", test)):
        (folder / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in part), encoding="utf-8")
    return prepare_own_dataset(folder, AS_IT_IS, Limits(), None)


def test_a_data_set_is_looked_at_once_and_says_what_was_found(tmp_path: Path) -> None:
    data = data_set(tmp_path)
    findings = check_dataset(data)
    assert (findings.check.duplicates, findings.check.leaked, findings.check.conflicting) == (2, 2, 1)
    assert 0 in findings.check.doubtful_test
    assert findings.doubts[0].text in {row.replace("\t", " ") for row in data.test.texts} | {*data.test.texts}
    assert check_dataset(data) == findings
    notes = check_notes(findings.check, len(data.test))
    assert "2 of 102 test texts are near duplicates of texts in train or validation" in notes
    assert "1 texts occur with two labels" in notes
    checked = with_check(data)
    save_dataset(checked, tmp_path / "saved")
    assert open_dataset(tmp_path / "saved").card.check == findings.check


def test_inspect_shows_and_prints_json(tmp_path: Path) -> None:
    data_set(tmp_path)
    shown = CliRunner().invoke(cli, ["inspect", str(tmp_path / "mine")], catch_exceptions=False)
    assert shown.exit_code == 0
    for words in ("delimiter tab", "2 classes", "Likeliest label errors", "texts with two labels: 1"):
        assert words in shown.output
    printed = CliRunner().invoke(cli, ["inspect", str(tmp_path / "mine"), "--json"], catch_exceptions=False)
    content = json.loads(printed.output)
    assert content["classes"][0]["train"] + content["classes"][0]["validation"] == 150
    assert content["check"]["conflicting"] == 1
    assert content["lengths"]["unit"] == "words"
