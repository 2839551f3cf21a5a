"""The published rows as their write-ups have them: what is asked and with what it is trained, a test a row."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_models import toy_dataset

from bench import registry
from bench.data.suites import load_suite
from bench.plan.recipes import recipes_for
from bench.plan.studies import load_study
from bench.types import Dataset, Recipe
from trainers.params import read_params
from trainers.shared.prompting import BuiltPrompt, ask
from trainers.shared.questions import PromptParams

PUBLISHED = {recipe.id: recipe for recipe in recipes_for("published")}
MULTIPLE_CHOICE = """Please read the following news article and determine its category from the options below.

Article:
TEXT

Question: What is the most appropriate category for this news article?
A. World
B. Sports
C. Business
D. Science/Technology

Answer:"""
C7 = {"warmup_steps": 500, "max_length": 512, "gradient_checkpointing": True, "batch_size": 16, "accumulation": 8}
LINEAR_LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def task_of(suite: str) -> Dataset:
    found, toy = load_suite(suite), toy_dataset()
    train = replace(toy.train, labels=toy.train.labels % len(found.class_names))
    return replace(toy, train=train, class_names=found.class_names, prompt=found.prompt, language=found.language)


def params_of(recipe: Recipe) -> object:
    return read_params(recipe, registry.find("trainer", recipe.method).params_type)


def asked(recipe: str, suite: str) -> BuiltPrompt:
    params = params_of(PUBLISHED[recipe])
    assert isinstance(params, PromptParams)
    return ask(params, task_of(suite), seed=0)


def settings(recipe: str, *names: str) -> dict[str, object]:
    params = params_of(PUBLISHED[recipe])
    return {name: getattr(params, name) for name in names}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_published_recipe_can_be_read(name: str) -> None:
    registry.find("trainer", PUBLISHED[name].method).check(PUBLISHED[name])


@pytest.mark.parametrize("name", ["full-finetune", "full-finetune-decoder"])
def test_a1_and_a2_read_512_tokens(name: str) -> None:
    assert settings(name, "max_length", "learning_rate", "weight_decay", "evaluations") == {
        "max_length": 512,
        "learning_rate": 1e-5,
        "weight_decay": 1e-6,
        "evaluations": 20,
    }


@pytest.mark.parametrize(
    ("name", "end", "think"),
    [("sft", "/no_think", "empty"), ("zero-shot-letters", "/no_think", "empty"), ("zero-shot-thinking", "", "open")],
)
def test_a3_to_a5_ask_the_multiple_choice_question(name: str, end: str, think: str) -> None:
    prompt = asked(name, "agnews")
    assert f"{prompt.before}TEXT{prompt.after}" == MULTIPLE_CHOICE + end
    assert prompt.answers == prompt.words == ("A", "B", "C", "D")
    assert settings(name, "think", "chat") == {"think": think, "chat": True}
    assert prompt.notes[0].startswith("asked in the wording 'write-up")


def test_a3_scores_test_at_each_of_its_checkpoints() -> None:
    assert settings("sft", "test_curve", "evaluations", "batch_size", "learning_rate", "warmup_share") == {
        "test_curve": True,
        "evaluations": 5,
        "batch_size": 96,
        "learning_rate": 1.2e-5,
        "warmup_share": 0.01,
    }


def test_other_data_is_asked_in_its_own_words_and_the_row_says_so() -> None:
    prompt = asked("sft", "imdb")
    assert "Is the review positive or negative?" in prompt.after
    assert prompt.notes == ("this data has no wording 'write-up': asked in its usual one",)


@pytest.mark.parametrize("name", [name for name, recipe in PUBLISHED.items() if recipe.row == "B6"])
def test_b6_asks_in_chinese(name: str) -> None:
    prompt = asked(name, "weibo")
    assert prompt.words == ("负面", "正面")
    assert "情感" in prompt.before and prompt.after == ""


@pytest.mark.parametrize(
    ("name", "rate"), [("deberta-lora", 5e-5), ("deberta-p-tuning", 5e-4), ("deberta-prompt-tuning", 1e-3)]
)
def test_c7_to_c9_have_the_same_arguments_but_the_rate(name: str, rate: float) -> None:
    assert settings(name, *C7) == C7
    assert settings(name, "learning_rate") == {"learning_rate": rate}


def test_d1_is_c7_and_its_study_varies_the_warm_up_alone() -> None:
    assert settings("deberta-lora-few", *C7, "learning_rate") == {**C7, "learning_rate": 5e-5}
    fixed, share = map(params_of, load_study("warm-up").expand((PUBLISHED["deberta-lora-few"],)))
    assert (fixed.warmup_steps, share.warmup_steps, share.warmup_share) == (500, None, 0.1)
    changed = {"warmup_steps": None, "warmup_share": 0.1}
    assert fixed.model_copy(update=changed) == share


def test_c11_is_lora_with_three_losses() -> None:
    shape = ("r", "alpha", "dropout", "targets", "max_length")
    assert settings("deberta-ce", *shape) == settings("deberta-ce-scl", *shape)
    assert settings("deberta-library-loss", "weights", *shape) == {"weights": "lora", **settings("deberta-ce", *shape)}
    assert settings("deberta-ce-scl", "contrastive", "temperature", "contrast_on") == {
        "contrastive": 0.1,
        "temperature": 0.07,
        "contrast_on": "logits",
    }


@pytest.mark.parametrize(
    "name", [name for name, recipe in PUBLISHED.items() if recipe.params.get("weights") == "qlora"]
)
def test_c12_adapts_all_linear_layers(name: str) -> None:
    known = ("qkv_proj", "o_proj", "gate_up_proj", "down_proj") if "phi" in name else LINEAR_LAYERS
    assert settings(name, "targets", "learning_rate", "warmup_steps", "max_new_tokens") == {
        "targets": known,
        "learning_rate": 2e-5,
        "warmup_steps": 100,
        "max_new_tokens": 3,
    }


@pytest.mark.parametrize(
    "name", [name for name, recipe in PUBLISHED.items() if recipe.method == "generate" and recipe.row == "D2"]
)
def test_d2_is_a_completion_that_ends_in_a_digit(name: str) -> None:
    prompt = asked(name, "sst2/cut-from-train")
    assert prompt.before.startswith("Below is an instruction")
    assert (
        "step-by-step chain of thoughts, and return a single number: 0 for negative or 1 for positive." in prompt.before
    )
    assert prompt.after == "\n\n### Response:\n<think>\n"
    assert prompt.words == ("0", "1")
    assert settings(name, "mention", "chat", "think") == {"mention": "last", "chat": False, "think": "open"}


def test_b5_trains_its_small_network_in_epochs_and_batches() -> None:
    recipe = PUBLISHED["embedding-mlp"]
    own = recipe.model_copy(update={"params": {**recipe.params, "epochs": 5, "batch_size": 16, "learning_rate": 1e-3}})
    assert params_of(own).steps == {"epochs": 5, "batch_size": 16, "learning_rate": 1e-3}
