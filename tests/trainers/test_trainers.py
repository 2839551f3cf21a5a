"""Every method trains on a toy task, repeats itself bit for bit, survives trouble, and serves what it fitted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import (
    no_progress,
    tiny_bert,
    tiny_llama,
    toy_dataset,
)
from tiny_trainings import TRAINED, fit, logits_of, recipe, split_of
from torch import nn

from bench import registry
from bench.classifiers.embedding import make_head
from bench.classifiers.folder import load_classifier
from bench.errors import BenchError, NotAvailable, UsageError
from bench.plan.recipes import recipes_for
from bench.types import Classifier, Dataset, Prompt, Split, Workplace
from trainers.loop.batches import grouped_batches
from trainers.loop.loop import train_module
from trainers.loop.records import LoopParams
from trainers.lora import find_targets
from trainers.shared.heads import apply_head, choose_logistic_regression, choose_mlp
from trainers.shared.prompting import BuiltPrompt, continuation_ids

pytestmark = pytest.mark.kernels

HERE = Workplace("cpu", 2, Path("unused"))


def accuracy(classifier: Classifier, split: Split) -> float:
    return float((logits_of(classifier, split.texts).argmax(axis=1) == split.labels).mean())


# A frozen model of random weights says little of its text; what these methods can do with it is less than the others.
ON_RANDOM_STATES = (
    *("adapter", "adapter on GPT-2", "prompt-tuning", "prompt-tuning on a decoder", "p-tuning", "prefix-tuning"),
)


@pytest.mark.parametrize("name", TRAINED)
def test_it_learns_and_what_is_stored_is_what_was_fitted(tmp_path: Path, name: str) -> None:
    made, make_base = TRAINED[name]
    data = toy_dataset(train=240, validation=60, test=60)
    base = make_base(tmp_path / "base") if make_base else None
    classifier = fit(made, data, tmp_path / "c", base)
    fit_record = classifier.manifest.fit
    if name in ON_RANDOM_STATES:
        assert accuracy(classifier, data.train) > 0.45, "chance is 0.33, and 240 texts are not that lucky"
    else:
        assert accuracy(classifier, data.train) > 0.8
        assert accuracy(classifier, data.test) > 0.5, "chance is 0.33, and 60 texts are not that lucky"
    chosen = [point for point in fit_record.curve if fit_record.chosen_step in (point.step, None)]
    assert accuracy(classifier, data.validation) == pytest.approx(chosen[-1].accuracy, abs=0.1)
    assert fit_record.examples == len(data.train)
    assert 0 < fit_record.trainable_parameters <= fit_record.total_parameters + fit_record.trainable_parameters
    assert fit_record.saved_bytes
    assert load_classifier(tmp_path / "c") == classifier


@pytest.mark.parametrize("name", TRAINED)
def test_the_same_seed_gives_the_same_weights(tmp_path: Path, name: str) -> None:
    made, make_base = TRAINED[name]
    base = make_base(tmp_path / "base") if make_base else None
    short = made.model_copy(update={"params": made.params | ({"epochs": 2} if name != "tfidf" else {})})
    first = fit(short, toy_dataset(), tmp_path / "first", base)
    again = fit(short, toy_dataset(), tmp_path / "again", base)
    assert first.manifest.files == again.manifest.files
    assert first.sha256 == again.sha256
    if name != "tfidf":
        other = fit(short, toy_dataset(), tmp_path / "other", base, seed=1)
        assert other.sha256 != first.sha256


@pytest.mark.parametrize("classes", [2, 3])
def test_a_frozen_head_serves_what_it_fitted(tmp_path: Path, classes: int) -> None:
    """The head's weights must reach the file as they are, for two classes (one row in scikit-learn) and for more."""
    data = toy_dataset()
    if classes == 2:
        data = _two_classes(data)
    base = tiny_bert(tmp_path / "base")
    classifier = fit(recipe("frozen-head", strengths=[1000.0]), data, tmp_path / "c", base)
    [point] = classifier.manifest.fit.curve
    assert accuracy(classifier, data.validation) == pytest.approx(point.accuracy, abs=0.1)
    assert accuracy(classifier, data.train) > 0.8, "the head was fitted on these very texts"
    vectors = list((tmp_path / "cache" / "vectors").iterdir())
    assert len(vectors) == 2
    before = [path.stat().st_mtime_ns for path in vectors]
    again = fit(recipe("frozen-head", strengths=[1000.0]), data, tmp_path / "again", base)
    assert [path.stat().st_mtime_ns for path in vectors] == before, "the vectors were computed twice"
    assert again.sha256 == classifier.sha256


@pytest.mark.parametrize("changed", ["base", "version", "code"])
def test_kept_vectors_are_not_taken_for_those_of_another_tokenizer_version_or_code(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, data = tiny_bert(tmp_path / "base"), toy_dataset()
    fit(recipe("frozen-head"), data, tmp_path / "c", base)
    if changed == "base":
        base = replace(base, sha256="another tokenizer")
    elif changed == "version":
        monkeypatch.setattr("trainers.frozen_head.version", lambda package: f"{package} of tomorrow")
    else:
        monkeypatch.setattr("trainers.frozen_head._hash_code", lambda: "other code")
    fit(recipe("frozen-head"), data, tmp_path / "d", base)
    assert len(list((tmp_path / "cache" / "vectors").iterdir())) == 4


def _two_classes(data: Dataset) -> Dataset:
    splits = {
        name: part.take(np.flatnonzero(part.labels < 2))
        for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    prompt = Prompt(template=data.prompt.template, label_words=data.prompt.label_words[:2])
    return replace(data, class_names=data.class_names[:2], prompt=prompt, **splits)


def test_lora_moves_few_parameters_and_leaves_an_ordinary_model(tmp_path: Path) -> None:
    classifier = fit(
        recipe("lora", r=2, epochs=1, max_length=32), toy_dataset(), tmp_path / "c", tiny_bert(tmp_path / "b")
    )
    record = classifier.manifest.fit
    assert record.trainable_parameters < record.total_parameters / 2
    assert classifier.kind == "sequence"
    assert not list((tmp_path / "c").glob("adapter*"))


def test_zero_shot_trains_nothing_and_reads_no_text(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    made = recipe("zero-shot", max_length=64)
    first = fit(made, toy_dataset(seed=0), tmp_path / "first", base)
    other = fit(made, toy_dataset(seed=1), tmp_path / "other", base)
    assert first.manifest.fit.trainable_parameters == 0
    assert len(first.manifest.settings["content_free"]) == 3
    assert first.sha256 == other.sha256, "other training texts changed a zero-shot classifier"
    assert np.isfinite(logits_of(first, toy_dataset().test.texts)).all()


def test_targets_that_do_not_exist_are_answered_with_those_that_do(tmp_path: Path) -> None:
    made = recipe("lora", targets=["q_proj"], max_length=32)
    with pytest.raises(UsageError, match=r"no q_proj; its linear layers: .*query"):
        fit(made, toy_dataset(), tmp_path / "c", tiny_bert(tmp_path / "base"))


def test_attention_layers_are_found_in_every_architecture() -> None:
    layers = nn.ModuleDict({"q_lin": nn.Linear(2, 2), "k_lin": nn.Linear(2, 2), "v_lin": nn.Linear(2, 2)})
    assert find_targets(layers, None) == ("q_lin", "k_lin", "v_lin")


@pytest.mark.parametrize(
    ("params", "message"),
    [({"learning_rat": 1.0}, "did you mean learning_rate"), ({"epochs": "many"}, "epochs = 'many'")],
)
def test_wrong_parameters_are_named(tmp_path: Path, params: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit(recipe("network", **{"architecture": "cnn", **params}), toy_dataset(), tmp_path / "c")


def test_a_method_without_its_base_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs a base model"):
        fit(recipe("full-finetune"), toy_dataset(), tmp_path / "c")


class Fragile(nn.Module):
    """Learns until its given forward pass, then answers NaN."""

    def __init__(self, breaks_at: int) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)
        self.left = breaks_at

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        logits = self.head(input_ids.float().mean(dim=1, keepdim=True))
        if self.training:
            self.left -= 1
        return logits * float("nan") if self.left < 0 else logits


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint() -> None:
    module = Fragile(breaks_at=6)
    params = LoopParams(epochs=5, batch_size=8, evaluations=10)
    outcome = train_module(module, split_of(32), split_of(8), params, 0, HERE, no_progress)
    assert "training stopped" in outcome.notes[0]
    assert outcome.steps == 6
    assert outcome.chosen_step <= 6
    assert all(torch.isfinite(weight).all() for weight in module.parameters())


def test_a_loss_that_is_never_finite_is_an_error() -> None:
    with pytest.raises(BenchError, match="lower the learning rate"):
        train_module(Fragile(0), split_of(32), split_of(8), LoopParams(batch_size=8), 0, HERE, no_progress)


def test_accumulation_is_the_same_step() -> None:
    weights = []
    for accumulation in (1, 4):
        torch.manual_seed(0)
        module = Fragile(breaks_at=10_000)
        params = LoopParams(epochs=2, batch_size=16, accumulation=accumulation)
        train_module(module, split_of(64), split_of(8), params, 0, HERE, no_progress)
        weights.append(module.head.weight.detach().clone())
    assert torch.allclose(weights[0], weights[1], atol=1e-6)


@given(n=st.integers(1, 500), batch_size=st.integers(1, 40), seed=st.integers(0, 99))
def test_an_epoch_reads_every_text_once(n: int, batch_size: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 100, n)
    batches = grouped_batches(lengths, batch_size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(n))
    assert max(map(len, batches)) <= batch_size


def test_grouping_saves_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 2000)
    batches = grouped_batches(lengths, 32, np.random.default_rng(0))
    padded = sum(lengths[rows].max() * len(rows) for rows in batches)
    assert padded < 1.1 * lengths.sum()


def test_two_classes_give_scikit_learns_probabilities() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 5)).astype(np.float32)
    labels = (features[:, 0] + 0.3 * rng.normal(size=80) > 0).astype(int)
    head = choose_logistic_regression(features, labels, features, labels, 2, (1.0,), 0)
    logits = apply_head(head.weights, features)
    ours = 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))
    theirs = LogisticRegression(C=1.0, max_iter=1000).fit(features, labels).predict_proba(features)[:, 1]
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert head.weights["0.weight"].flags["C_CONTIGUOUS"]


def test_the_small_network_is_trained_as_long_as_asked() -> None:
    generator = np.random.default_rng(0)
    features, labels = generator.normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2
    fixed = (features, labels, features, labels, 2, (1000.0,), 8)
    once, often = choose_mlp(*fixed, seed=0, epochs=1), choose_mlp(*fixed, seed=0, epochs=300, batch_size=8)
    assert often.point.training_loss < 0.6 * once.point.training_loss
    faster = choose_mlp(*fixed, seed=0, epochs=1, learning_rate=0.1)
    assert not np.allclose(once.weights["0.weight"], faster.weights["0.weight"])
    with pytest.raises(UsageError, match="epochs: logistic regression is not trained in steps"):
        registry.find("trainer", "frozen-head").check(recipe("frozen-head", epochs=3))


def test_answers_must_differ(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    with pytest.raises(NotAvailable, match="same answer"):
        continuation_ids(base.path / "tokenizer.json", BuiltPrompt("", " :", (" sports", " sports")))


@pytest.mark.parametrize("model_set", ["small", "published"])
def test_every_recipe_has_parameters_that_its_trainer_knows(model_set: str) -> None:
    for made in recipes_for(model_set):
        registry.find("trainer", made.method).check(made)


def test_every_row_of_the_published_systems_is_a_recipe() -> None:
    rows = {made.row for made in recipes_for("published")}
    wanted = {f"A{n}" for n in range(1, 6)} | {f"B{n}" for n in range(1, 7)} | {f"C{n}" for n in range(1, 13)}
    assert wanted | {"D1", "D2"} <= rows
    assert wanted - {"B4"} | {"D1", "D2"} <= {made.row for made in recipes_for("small")}


@pytest.mark.parametrize("classes", [2, 3])
def test_a_network_head_gives_scikit_learns_probabilities(classes: int) -> None:
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    features = rng.normal(size=(150, 5)).astype(np.float32)
    labels = np.abs(features[:, 0] * 1.5).astype(int).clip(0, classes - 1)
    head = choose_mlp(features, labels, features, labels, classes, (100.0,), 16, 0)
    theirs = MLPClassifier((16,), alpha=0.01, random_state=0).fit(features, labels)
    logits = torch.from_numpy(apply_head(head.weights, features))
    assert logits.softmax(dim=1).numpy() == pytest.approx(theirs.predict_proba(features), abs=1e-5)
    served = make_head({name: torch.from_numpy(weight) for name, weight in head.weights.items()})
    torch.testing.assert_close(served(torch.from_numpy(features)), logits.float(), rtol=1e-4, atol=1e-5)


def test_a_frozen_network_head_serves_what_it_fitted(tmp_path: Path) -> None:
    base, data = tiny_bert(tmp_path / "base"), toy_dataset()
    made = recipe("frozen-head", head="mlp", hidden=8, strengths=[1000.0])
    classifier = fit(made, data, tmp_path / "c", base)
    [point] = classifier.manifest.fit.curve
    assert accuracy(classifier, data.validation) == pytest.approx(point.accuracy, abs=0.1)
    assert fit(made, data, tmp_path / "again", base).sha256 == classifier.sha256
