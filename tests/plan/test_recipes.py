"""Recipes, studies and cuts as data: a user's own, varied and narrowed; wrong ones are answered with what is right."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import bench
from tiny_models import CLASS_NAMES, no_progress, tiny_bert, tiny_llama, toy_dataset
from tiny_trainings import FAST, fit, logits_of, recipe
from transformers import AutoModelForSequenceClassification, BertConfig

from bench.data.cuts import cut_train
from bench.errors import NotAvailable, UsageError
from bench.execution.cells import new_cell
from bench.execution.hardness import hardness_of_train
from bench.execution.search import load_space, recipe_toml
from bench.models.base import base_weights
from bench.plan.choices import choose_recipes
from bench.plan.keys import classifier_key
from bench.plan.recipes import default_recipes, parse_setting, read_recipes, recipes_for, varied
from bench.plan.request import RunRequest
from bench.plan.studies import load_study, study_names
from bench.types import BaseWeights, Dataset, Recipe, TrainCut, Workplace
from trainers.ready_made import label_order


def test_the_defaults_are_few_and_there() -> None:
    cheap = ["frozen-head", "full-finetune", "textcnn", "tfidf"]
    for models, more in (("small", []), ("published", ["lora", "zero-shot"])):
        chosen = [one.id for one in default_recipes(models)]
        assert sorted(chosen) == sorted([*cheap, *more])
        assert len({one.id for one in recipes_for(models)}) == len(recipes_for(models))


def test_no_small_default_asks_a_decoder_whose_language_the_data_may_not_have() -> None:
    assert all(one.role != "causal" for one in default_recipes("small"))


def test_a_stand_in_is_named() -> None:
    by_id = {one.id: one for one in recipes_for("small")}
    assert by_id["bert-scl"].stands_for == "bert-base-uncased"
    assert by_id["sft"].stands_for == "qwen3-0.6b"
    assert by_id["tfidf"].stands_for is None


def test_a_model_of_ones_own_stands_for_no_other(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    own = '[mine]\ntitle = "Mine"\nmethod = "frozen-head"\nrole = "encoder"\nbase_model = "./m"\n'
    two = '[two]\ntitle = "Two"\nmethod = "frozen-head"\nsmall = { role = "encoder" }\n'
    file.write_text(f'{own}{two}published = {{ role = "encoder", base_model = "e5-small" }}\n', encoding="utf-8")
    mine, other = default_recipes("small", file)
    assert mine.stands_for is None
    assert other.stands_for == "e5-small"
    data = toy_dataset()
    assert new_cell(data, other, "minilm", 0, None, "key").stands_for == "e5-small"
    assert new_cell(data, other, "e5-small", 0, None, "key").stands_for is None


def test_a_users_recipes(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[mine]\ntitle = "Mine"\nmethod = "tfidf"\nparams = { max_features = 50 }\n', encoding="utf-8")
    [mine] = default_recipes("small", file)
    assert (mine.id, mine.method, mine.params) == ("mine", "tfidf", {"max_features": 50})
    assert len(recipes_for("published", file)) == len(recipes_for("published")) + 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no recipe"),
        ("x = = 1", "is not TOML"),
        ("mine = 3", "'mine' is no table"),
        ('[mine]\ntitle = "t"\nmethod = "m"\nparms = {}', r"recipe 'mine': parms: Extra inputs"),
        ('[mine]\ntitle = "t"', r"recipe 'mine': method: Field required"),
    ],
)
def test_wrong_recipe_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        read_recipes(file)


def test_a_missing_recipe_file() -> None:
    with pytest.raises(UsageError, match=r"none\.toml: No such file"):
        read_recipes(Path("none.toml"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=3", ("epochs", 3)),
        ("learning_rate=1e-4", ("learning_rate", 1e-4)),
        ("targets=['a', 'b']", ("targets", ["a", "b"])),
        ("head=mlp", ("head", "mlp")),
        ("merge=false", ("merge", False)),
    ],
)
def test_settings_are_read_as_toml(text: str, expected: tuple[str, object]) -> None:
    assert parse_setting(text) == expected


def test_a_setting_without_a_value() -> None:
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        parse_setting("epochs")


def test_methods_rows_and_settings_choose_and_name_the_recipes() -> None:
    chosen = choose_recipes(RunRequest(suites=("x",), methods=("C6",), settings=("epochs=2",)), "small", None)
    [one] = chosen
    assert one.id == "bert-scl@epochs=2"
    assert (one.variant_of, one.variant, one.params["epochs"]) == ("bert-scl", "epochs=2", 2)
    assert [one.id for one in choose_recipes(RunRequest(suites=("x",), methods=("lora",)), "small", None)] == ["lora"]
    three = choose_recipes(RunRequest(suites=("x",), methods=("C3",)), "published", None)
    assert [one.id for one in three] == ["bert-native", "bert-trainer", "bert-scratch"]
    assert len(choose_recipes(RunRequest(suites=("x",), methods=("network",)), "small", None)) == 7
    with pytest.raises(UsageError, match="did you mean full-finetune"):
        choose_recipes(RunRequest(suites=("x",), methods=("full-finetun",)), "small", None)


def test_every_study_expands_to_recipes_that_exist() -> None:
    for name in study_names():
        study = load_study(name)
        for models in ("small", "published"):
            chosen = choose_recipes(RunRequest(suites=("x",)), models, study)
            assert len(chosen) == len(study.methods) * max(1, len(study.variants)), name
    sizes = choose_recipes(RunRequest(suites=("x",)), "small", load_study("sample-size"))
    assert [one.cut.items for one in sizes] == [16, 64, 256, 1024, 4096, 8192, 16384, None]


def test_a_users_study(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "t"\naxis = "r"\nmethods = ["lora"]\nvariants = [{ name = "2", params = { r = 2 } }]\n')
    [one] = choose_recipes(RunRequest(suites=("x",)), "small", load_study(str(file)))
    assert (one.id, one.params["r"]) == ("lora@2", 2)
    file.write_text('title = "t"\naxis = "r"\nvariants = [{ nam = "2" }]\n')
    with pytest.raises(UsageError, match="variants"):
        load_study(str(file))
    with pytest.raises(UsageError, match="unknown study 'seed'; did you mean seeds"):
        load_study("seed")


# ---------------------------------------------------------------- cuts


def test_smaller_cuts_are_parts_of_larger_ones() -> None:
    data = toy_dataset(train=90)
    parts = [set(cut_train(data, TrainCut(items=items), None).train.ids) for items in (6, 30, 90)]
    assert parts[0] < parts[1] < parts[2]
    labels = cut_train(data, TrainCut(items=30), None).train.labels
    assert np.bincount(labels).tolist() == [10, 10, 10]
    with pytest.raises(NotAvailable, match="asks for 91 training texts, there are 90"):
        cut_train(data, TrainCut(items=91), None)


def test_hard_and_easy_texts_are_chosen_within_each_class() -> None:
    data = toy_dataset(train=90)
    hardness = np.random.default_rng(0).random(90)
    hard = cut_train(data, TrainCut(items=30, selection="hard"), hardness).train
    easy = cut_train(data, TrainCut(items=30, selection="easy"), hardness).train
    by_id = dict(zip(data.train.ids.tolist(), hardness, strict=True))
    for label in range(3):
        of_class = sorted(hardness[data.train.labels == label])
        chosen = sorted(by_id[row] for row in hard.ids[hard.labels == label].tolist())
        assert chosen == of_class[-10:]
        assert sorted(by_id[row] for row in easy.ids[easy.labels == label].tolist()) == of_class[:10]


def test_label_noise_is_nested_and_of_the_share_asked_for() -> None:
    data = toy_dataset(train=100)
    wrong = []
    for share in (0.05, 0.2, 1.0):
        labels = cut_train(data, TrainCut(label_noise=share), None).train.labels
        wrong.append(set(np.flatnonzero(labels != data.train.labels)))
    assert [len(rows) for rows in wrong] == [5, 20, 100]
    assert wrong[0] < wrong[1] < wrong[2]


def test_first_words_are_characters_where_there_are_no_spaces() -> None:
    data = toy_dataset()
    assert all(len(text.split()) <= 3 for text in cut_train(data, TrainCut(first_words=3), None).train.texts)
    chinese = replace(data, language="zh")
    assert all(len(text) <= 3 for text in cut_train(chinese, TrainCut(first_words=3), None).train.texts)
    assert cut_train(data, TrainCut(first_words=3), None).test is data.test


def test_hardness_is_the_loss_of_the_true_label_and_kept(tmp_path: Path) -> None:
    base, data = tiny_llama(tmp_path / "base"), toy_dataset()
    place = Workplace("cpu", 1, tmp_path / "cache")
    hardness = hardness_of_train(data, base, place, no_progress)
    zero_shot = fit(recipe("zero-shot"), data, tmp_path / "c", base)
    logits = logits_of(zero_shot, data.train.texts).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -log_probabilities[np.arange(len(data.train)), data.train.labels]
    np.testing.assert_allclose(hardness, expected, atol=0.1)  # bf16 where the machine has it
    [file] = (tmp_path / "cache" / "hardness").iterdir()
    before = file.stat().st_mtime_ns
    np.testing.assert_array_equal(hardness_of_train(data, base, place, no_progress), hardness)
    assert file.stat().st_mtime_ns == before


def test_other_content_of_a_file_that_a_hyperparameter_names_is_another_training(tmp_path: Path) -> None:
    vectors, data = tmp_path / "vectors.txt", toy_dataset()
    made = recipe("network", vectors_file=str(vectors))
    vectors.write_text("goal 0.1 0.2\n")
    first = classifier_key(data, made, None, None, 0, "cpu", 1)
    vectors.write_text("goal 0.1 0.3\n")
    assert classifier_key(data, made, None, None, 0, "cpu", 1) != first
    vectors.write_text("goal 0.1 0.2\n")
    assert classifier_key(data, made, None, None, 0, "cpu", 1) == first


@pytest.mark.parametrize("field", ["sha256", "normalise", "positions", "max_length", "prefix", "pooling"])
def test_what_is_taken_from_a_base_model_is_in_the_key(field: str) -> None:
    base, data = BaseWeights("./m", Path("m"), "a", "folder ./m"), toy_dataset()
    other = replace(base, **{field: {"normalise": False, "positions": 7, "max_length": 7}.get(field, "last")})
    keys = {classifier_key(data, recipe("frozen-head"), one, None, 0, "cpu", 1) for one in (base, other)}
    assert len(keys) == 2


# ---------------------------------------------------------------- ready-made models and folders of the user's


def ready_made(folder: Path, labels: dict[int, str]) -> BaseWeights:
    base = tiny_bert(folder)
    names = {"num_labels": len(labels), "id2label": labels, "label2id": {name: at for at, name in labels.items()}}
    AutoModelForSequenceClassification.from_pretrained(folder, **names).save_pretrained(folder)
    return base


def test_a_ready_made_model_answers_in_the_tasks_order(tmp_path: Path) -> None:
    base = ready_made(tmp_path / "base", {0: "Science", 1: "Sports", 2: "Money"})
    classifier = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", base)
    texts = toy_dataset().test.texts
    weights = AutoModelForSequenceClassification.from_pretrained(base.path).state_dict()
    found = AutoModelForSequenceClassification.from_pretrained(classifier.path)
    assert (found.state_dict()["classifier.weight"] == weights["classifier.weight"][[1, 2, 0]]).all()
    assert found.config.id2label == dict(enumerate(CLASS_NAMES))
    assert found.config.label2id == {name: at for at, name in enumerate(CLASS_NAMES)}
    assert logits_of(classifier, texts).shape == (len(texts), 3)
    assert classifier.manifest.fit.trainable_parameters == 0
    assert classifier.manifest.fit.notes == ("ready-made; nothing was trained",)


def test_labels_without_names_are_taken_in_order_and_that_is_said(tmp_path: Path) -> None:
    plain = ready_made(tmp_path / "plain", {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"})
    as_is = fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", plain)
    assert (as_is.path / "model.safetensors").read_bytes() == (plain.path / "model.safetensors").read_bytes()
    assert "assumed LABEL_0 = sports, LABEL_1 = money, LABEL_2 = science" in as_is.manifest.fit.notes[1]
    named = fit(recipe("ready-made", labels=["LABEL_2", "LABEL_0", "LABEL_1"]), toy_dataset(), tmp_path / "d", plain)
    assert named.manifest.fit.notes == ("ready-made; nothing was trained",)
    texts = toy_dataset().test.texts
    np.testing.assert_allclose(logits_of(named, texts), logits_of(as_is, texts)[:, [2, 0, 1]], rtol=1e-4, atol=1e-5)


def test_labels_that_differ_in_capitals_alone_keep_their_places() -> None:
    def config(*names: str) -> BertConfig:
        return BertConfig(id2label=dict(enumerate(names)), label2id={name: at for at, name in enumerate(names)})

    assert label_order(config("us", "US"), "m", None, ("US", "us"))[0] == [1, 0]
    assert label_order(config("Us", "Them"), "m", None, ("them", "us"))[0] == [1, 0]
    with pytest.raises(NotAvailable, match="labels are us, US, not Us, uS"):
        label_order(config("us", "US"), "m", None, ("Us", "uS"))
    with pytest.raises(NotAvailable, match="labels are a, b, not a, a"):
        label_order(config("a", "b"), "m", ("a", "a"), ("a", "b"))


def test_id2label_and_label2id_that_disagree_are_refused_unless_named() -> None:
    config = BertConfig(id2label={0: "neg", 1: "pos"}, label2id={"neg": 1, "pos": 0})
    with pytest.raises(NotAvailable, match="id2label says neg, pos, label2id another order"):
        label_order(config, "./m", None, ("neg", "pos"))
    assert label_order(config, "./m", ("pos", "neg"), ("neg", "pos"))[0] == [1, 0]


def test_a_model_of_another_label_set_is_refused(tmp_path: Path) -> None:
    two = ready_made(tmp_path / "two", {0: "neg", 1: "pos"})
    with pytest.raises(NotAvailable, match=r"knows 2 classes \(neg, pos\), the task has 3"):
        fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", two)
    others = ready_made(tmp_path / "others", {0: "red", 1: "green", 2: "blue"})
    with pytest.raises(NotAvailable, match="labels are red, green, blue, not sports, money, science"):
        fit(recipe("ready-made"), toy_dataset(), tmp_path / "c", others)
    named = fit(recipe("ready-made", labels=["blue", "red", "green"]), toy_dataset(), tmp_path / "d", others)
    assert named.class_names == CLASS_NAMES


def test_weights_in_shards_are_one_model(tmp_path: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    from transformers import AutoModelForCausalLM

    sharded = tmp_path / "sharded"
    AutoModelForCausalLM.from_pretrained(base.path).save_pretrained(sharded, max_shard_size="20KB")
    (sharded / "tokenizer.json").write_bytes((base.path / "tokenizer.json").read_bytes())
    assert len(list(sharded.glob("model-*.safetensors"))) > 1
    found = base_weights(str(sharded), None)
    data = toy_dataset()
    whole = fit(recipe("zero-shot"), data, tmp_path / "whole", base)
    parts = fit(recipe("zero-shot"), data, tmp_path / "parts", found)
    np.testing.assert_array_equal(logits_of(whole, data.test.texts[:4]), logits_of(parts, data.test.texts[:4]))
    assert found.sha256 != base.sha256


# ---------------------------------------------------------------- the commands


@pytest.fixture()
def own_file(tmp_path: Path) -> Path:
    data: Dataset = toy_dataset(train=60, validation=0, test=30)
    rows = zip(data.train.texts, data.train.labels, strict=True)
    file = tmp_path / "toy.csv"
    file.write_text("text,label\n" + "".join(f"{text},{CLASS_NAMES[label]}\n" for text, label in rows))
    return file


def test_a_misspelt_parameter_stops_the_run_before_anything_is_trained(own_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = bench("run", "--data", str(own_file), "--methods", "tfidf", "--set", "max_featurs=9", "--out", str(out))
    assert done.returncode == 2
    assert "unknown parameter of recipe 'tfidf@max_featurs=9' 'max_featurs'; did you mean max_features" in done.stderr
    assert not (out / "cells").exists()


def test_a_study_makes_a_table_and_a_plot(own_file: Path, tmp_path: Path) -> None:
    out, study = tmp_path / "run", tmp_path / "sizes.toml"
    study.write_text(
        'title = "How many?"\naxis = "training texts"\nmethods = ["tfidf"]\n'
        'variants = [{ name = "6", cut = { items = 6 } }, { name = "24", cut = { items = 24 } }, { name = "all" },'
        ' { name = "99", cut = { items = 99 } }]\n'
    )
    done = bench("run", "--data", str(own_file), "--study", str(study), "--tier", "sample", "--out", str(out))
    assert done.returncode == 0, done.stderr
    page = (out / "leaderboard.md").read_text(encoding="utf-8")
    assert "### How many?: tfidf" in page
    assert "SKIPPED: training: the cut asks for 99 training texts" in page
    plot = (out / "plots" / "toy.study.svg").read_text(encoding="utf-8")
    assert plot.startswith("<?xml")
    assert "![" in page
    again = bench("report", str(out))
    assert again.returncode == 0
    assert (out / "plots" / "toy.study.svg").read_text(encoding="utf-8") == plot


def test_tuning_writes_a_recipe_that_runs(own_file: Path, tmp_path: Path) -> None:
    tuned, space = tmp_path / "tuned.toml", tmp_path / "space.toml"
    space.write_text("[tfidf]\nmax_features = { choices = [1, 500] }\nword_ngrams = { choices = [1, 2] }\n")
    common = ("--data", str(own_file), "--methods", "tfidf", "--quiet")
    done = bench("tune", *common, "--space", str(space), "--trials", "6", "--out", str(tuned))
    assert done.returncode == 0, done.stderr
    made = tomllib.loads(tuned.read_text())["tfidf-tuned"]
    assert made["params"]["max_features"] == 500, "one word cannot tell three classes apart"
    run = bench(
        "run",
        "--data",
        str(own_file),
        "--recipes",
        str(tuned),
        "--tier",
        "sample",
        "--out",
        str(tmp_path / "r"),
        "--json",
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["settings"]["recipes"] == ["tfidf-tuned"]
    two = bench("tune", "--data", str(own_file), "--methods", "tfidf,textcnn")
    assert two.returncode == 2
    assert "one task and one recipe" in two.stderr


def test_a_search_space_must_know_the_method(tmp_path: Path) -> None:
    assert load_space("lora", None)["r"].choices
    with pytest.raises(UsageError, match=r"has no table \[zero-shot\]; known: full-finetune"):
        load_space("zero-shot", None)


def test_a_tuned_recipe_is_toml() -> None:
    made = Recipe(id="a b", title='quo"te', method="lora", role="encoder", params={"r": 4, "targets": ("q", "v")})
    back = tomllib.loads(recipe_toml(made))["a b-tuned"]
    assert back == {
        "title": 'quo"te, tuned',
        "method": "lora",
        "role": "encoder",
        "params": {"r": 4, "targets": ["q", "v"]},
    }
    assert varied([made], "x")[0].variant_of == "a b"


def test_four_bits_train_and_come_back_as_plain_weights(tmp_path: Path) -> None:
    from tiny_models import tiny_chat

    base = tiny_chat(tmp_path / "base")
    params = FAST | {"max_length": 48, "chat": True, "epochs": 30, "learning_rate": 2e-2, "r": 16}
    made = recipe("sft", **params, weights="qlora")
    data = toy_dataset(train=240, validation=60, test=60)
    classifier = fit(made, data, tmp_path / "c", base)
    logits = logits_of(classifier, data.test.texts)
    kept = [p for p in classifier.manifest.fit.curve if p.step == classifier.manifest.fit.chosen_step]
    assert (logits.argmax(axis=1) == data.test.labels).mean() > 0.5, "chance is 0.33"
    validated = (logits_of(classifier, data.validation.texts).argmax(axis=1) == data.validation.labels).mean()
    assert validated == pytest.approx(kept[0].accuracy, abs=0.12)
    assert "quantization_config" not in json.loads((classifier.path / "config.json").read_text())
