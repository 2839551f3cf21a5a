"""Recipes, studies and cuts as data: a user's own, varied and narrowed; wrong ones are answered with what is right."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_models import toy_dataset

from bench.errors import UsageError
from bench.execution.cells import new_cell
from bench.plan.choices import choose_recipes
from bench.plan.recipes import default_recipes, parse_setting, read_recipes, recipes_for
from bench.plan.request import RunRequest
from bench.plan.studies import load_study, study_names


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
    assert len(choose_recipes(RunRequest(suites=("x",), methods=("network",)), "small", None)) == 8
    with pytest.raises(UsageError, match="did you mean full-finetune"):
        choose_recipes(RunRequest(suites=("x",), methods=("full-finetun",)), "small", None)


def test_every_study_expands_to_recipes_that_exist() -> None:
    for name in study_names():
        study = load_study(name)
        for models in ("small", "published"):
            chosen = choose_recipes(RunRequest(suites=("x",)), models, study)
            assert len(chosen) == len(study.methods) * max(1, len(study.variants)), name
    sizes = choose_recipes(RunRequest(suites=("x",)), "small", load_study("sample-size"))
    assert [one.cut.items for one in sizes if one.method == "lora"] == [16, 64, 256, 1024, 4096, 8192, 16384, None]
    assert {one.method for one in sizes} == {"lora", "contrastive", "frozen-head"}


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
