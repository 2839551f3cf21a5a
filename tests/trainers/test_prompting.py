"""Prompts, option scoring and written answers: what is asked, what is read, and that batches change nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import CLASS_NAMES, tiny_chat, tiny_gpt2, tiny_llama, tiny_qwen3, toy_dataset
from tiny_trainings import FAST, fit, logits_of, recipe
from transformers import AutoModelForCausalLM

from backends.packed.linear import PackedLinear, pack_linears
from bench import registry
from bench.classifiers.option_scoring import OptionsModule
from bench.classifiers.pretrained import load_pretrained
from bench.errors import NotAvailable, UsageError
from bench.plan.engines import load_engines
from bench.text.neighbours import read_examples
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Prediction, Prompt, Workplace
from trainers.shared.prompting import BuiltPrompt, build_prompt, continuation_ids, shared_prefix_ids
from trainers.shared.questions import PromptParams


def built(folder: Path, **params: object) -> object:
    return build_prompt(PromptParams(**params), toy_dataset(), tiny_chat(folder), seed=0)


def test_words_follow_the_suites_prompt(tmp_path: Path) -> None:
    prompt = built(tmp_path)
    assert (prompt.before, prompt.after) == ("topic about ", " :")
    assert prompt.answers == (" sports", " money", " science")


def test_letters_list_the_options_and_can_be_rotated(tmp_path: Path) -> None:
    prompt = built(tmp_path, answers="letters", suffix="/no_think")
    assert prompt.before == "Text: "
    assert prompt.after == (
        "\n\nQuestion: Which class does the text belong to?\nA. sports\nB. money\nC. science\n/no_think\nAnswer:"
    )
    assert prompt.answers == (" A", " B", " C")
    last = built(tmp_path, answers="letters", text_last=True)
    assert last.before == ("Question: Which class does the text belong to?\nA. sports\nB. money\nC. science\n\nText: ")
    assert last.after == "\nAnswer:"
    with pytest.raises(UsageError, match="text_last move option letters"):
        built(tmp_path, text_last=True)
    moved = built(tmp_path, answers="letters", rotation=1)
    assert "A. science\nB. sports\nC. money" in moved.after
    assert moved.answers == (" B", " C", " A")


def test_a_chat_ends_where_the_answer_begins(tmp_path: Path) -> None:
    prompt = built(tmp_path, answers="letters", chat=True, think="empty")
    assert prompt.before == "[CLS] Text: "
    assert prompt.after.endswith(" [SEP] about : <think>\n\n</think>\n\n")
    assert prompt.answers == ("A", "B", "C")
    assert built(tmp_path, chat=True, think="open").after.endswith("<think>\n")
    with pytest.raises(UsageError, match="no chat template; set chat = false"):
        build_prompt(PromptParams(chat=True), toy_dataset(), tiny_llama(tmp_path / "plain"), seed=0)


def test_examples_are_of_every_class_and_of_train_only(tmp_path: Path) -> None:
    data = toy_dataset()
    prompt = built(tmp_path, shots=2, shot_words=3)
    for word in CLASS_NAMES:
        assert prompt.before.count(f": {word}\n\n") == 2
    shown = [line.removeprefix("topic about ") for line in prompt.before.splitlines() if " : " in line]
    starts = {" ".join(text.split()[:3]) for text in data.train.texts}
    assert all(line.split(" :")[0] in starts for line in shown)
    assert built(tmp_path, shots=2, shot_words=3) == prompt
    other = build_prompt(PromptParams(shots=2, shot_words=3), data, tiny_chat(tmp_path), seed=1)
    assert other != prompt


def test_a_template_of_ones_own_is_asked_as_it_stands(tmp_path: Path) -> None:
    words = built(tmp_path, template="T: {text}\n{question} {options}?\nA:", question="Which of {options}")
    assert words.before == "T: "
    assert words.after == "\nWhich of sports, money or science sports, money or science?\nA:"
    assert (words.answers, words.words) == ((" sports", " money", " science"), ("sports", "money", "science"))
    letters = built(tmp_path, template="{options}\n{text}\nA:\n", answers="letters", rotation=1)
    assert letters.before == "A. science\nB. sports\nC. money\n"
    assert (letters.after, letters.answers, letters.words) == ("\nA:\n", ("B", "C", "A"), ("B", "C", "A"))
    chat = built(tmp_path, template="Is it so?\n{text}\nSay it:", chat=True)
    assert (chat.before, chat.after) == ("[CLS] Is it so?\n", "\nSay it: [SEP] about : ")


def test_words_and_descriptions_by_class(tmp_path: Path) -> None:
    told = {"sports": "games", "money": "banks", "science": "atoms"}
    asked = {"template": "{descriptions}\n{text}\nA:", "descriptions": told, "label_words": {"money": "cash"}}
    assert built(tmp_path, **asked).before == "sports: games\ncash: banks\nscience: atoms\n"
    lettered = {**asked, "template": "{options}\n{descriptions}\n{text}", "answers": "letters"}
    assert built(tmp_path, **lettered).before.endswith("A. sports: games\nB. cash: banks\nC. science: atoms\n")
    with pytest.raises(UsageError, match="none is given of science"):
        built(tmp_path, **{**asked, "descriptions": {"sports": "games", "money": "banks"}})
    with pytest.raises(UsageError, match="'cash' is no class"):
        built(tmp_path, label_words={"cash": "x"})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"template": "{text} {topic}"}, "unknown placeholder"),
        ({"template": "no place"}, "exactly once"),
        ({"question": "{text}?"}, "unknown placeholder"),
    ],
)
def test_wrong_templates_stop_before_training(params: dict[str, object], message: str) -> None:
    for method in ("zero-shot", "generate", "sft", "served"):
        with pytest.raises(UsageError, match=message) as caught:
            registry.find("trainer", method).check(recipe(method, **params))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"answers": "letters"}, r"put \{options\} where they belong"),
        ({"suffix": "/no_think"}, "suffix and text_last change the suite's prompt"),
        ({"rotation": 1}, "rotation moves option letters"),
    ],
)
def test_what_a_template_cannot_have_beside_it(tmp_path: Path, params: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        built(tmp_path, template="{text}:", **params)


def test_texts_with_braces_are_asked_as_they_are(tmp_path: Path) -> None:
    base = tiny_chat(tmp_path / "base")
    classifier = fit(recipe("zero-shot", template="about {text} :"), toy_dataset(), tmp_path / "c", base)
    tokenizer = load_tokenizer(classifier)
    odd = "{options} {text} {0} {{x}} %s"
    assert tokenizer.encode([odd]).ids == [tokenizer.tokenizer.encode(f"about {odd} :").ids]


def test_every_method_that_asks_takes_the_prompts_of_the_command_line() -> None:
    from bench.plan.prompts import ASKING

    asking = {
        name
        for name in registry.names("trainer")
        if issubclass(getattr(registry.find("trainer", name), "params_type", object), PromptParams)
    }
    assert asking == set(ASKING)


def test_examples_nearest_to_each_text(tmp_path: Path) -> None:
    data = toy_dataset()
    classifier = fit(recipe("zero-shot", shots=1, examples="nearest"), data, tmp_path / "c", tiny_chat(tmp_path / "b"))
    tokenizer = load_tokenizer(classifier)
    asked = "coach league match"
    shown = tokenizer.before_text(asked)
    assert shown.endswith("topic about ") and shown.count(": sports") >= 2
    own = data.train.texts[5]
    assert f"about {own} :" not in tokenizer.before_text(f" {own.upper()} "), "a text is no example of itself"
    expected = tokenizer.tokenizer.encode(f"{shown}{asked} :").ids
    assert tokenizer.encode([asked]).ids == [expected] or len(expected) > tokenizer.max_length
    again = load_tokenizer(classifier).encode(data.test.texts[:4]).ids
    assert again == [tokenizer.encode([text]).ids[0] for text in data.test.texts[:4]]


def test_the_farthest_examples_make_room_for_the_text(tmp_path: Path) -> None:
    data, base = toy_dataset(), tiny_chat(tmp_path / "b")
    classifier = fit(recipe("zero-shot", shots=2, examples="nearest", max_length=40), data, tmp_path / "c", base)
    encoded = load_tokenizer(classifier).encode([data.test.texts[0], " ".join(["goal"] * 60)])
    assert all(len(ids) <= 40 for ids in encoded.ids)
    assert encoded.truncated.tolist() == [False, True]


def test_no_example_is_a_text_of_test(tmp_path: Path) -> None:
    data = toy_dataset()
    tested = replace(data, test=data.train.take(np.arange(len(data.train) - 6)))
    left = {" ".join(text.split()[:40]) for text in data.train.texts[-6:]}
    for chosen in ("balanced", "random"):
        prompt = build_prompt(PromptParams(shots=2, examples=chosen), tested, tiny_chat(tmp_path / chosen), seed=0)
        shown = {part.removeprefix("topic about ").rpartition(" :")[0] for part in prompt.before.split("\n\n")[:-1]}
        assert shown and {one.rpartition(" : ")[0] or one for one in shown} <= left


def test_random_examples_are_the_seeds(tmp_path: Path) -> None:
    one, other = (
        build_prompt(PromptParams(shots=2, examples="random"), toy_dataset(), tiny_chat(tmp_path), seed)
        for seed in (0, 1)
    )
    assert one != other and one.before.count("\n\n") == 6
    with pytest.raises(UsageError, match="there are none: set shots too"):
        registry.find("trainer", "zero-shot").check(recipe("zero-shot", examples="nearest"))


@pytest.mark.parametrize("method", ["sft", "generate", "served"])
def test_every_method_shows_the_nearest(tmp_path: Path, method: str) -> None:
    more = {**FAST, "epochs": 1} if method == "sft" else {}
    base = None if method == "served" else tiny_chat(tmp_path / "b")
    classifier = fit(recipe(method, shots=1, examples="nearest", **more), toy_dataset(), tmp_path / "c", base)
    examples = read_examples(classifier)
    assert examples is not None and examples.count == 3
    assert "examples.json" in classifier.manifest.files


def test_too_many_classes_for_letters(tmp_path: Path) -> None:
    names = tuple(f"class {number}" for number in range(30))
    data = replace(toy_dataset(), class_names=names, prompt=Prompt(template="{text}", label_words=names))
    with pytest.raises(NotAvailable, match="30 classes are more than there are letters"):
        build_prompt(PromptParams(answers="letters"), data, tiny_chat(tmp_path), seed=0)


@pytest.mark.parametrize("make", [tiny_llama, tiny_gpt2, tiny_qwen3])
@pytest.mark.parametrize("words", [[[20], [21], [22]], [[20], [21, 22], [21, 23, 24]]], ids=["one", "tree"])
def test_the_shared_prefix_changes_no_score(tmp_path: Path, make: object, words: list[list[int]]) -> None:
    model = load_pretrained(AutoModelForCausalLM, make(tmp_path).path)
    prefix = list(range(5, 15))
    whole = OptionsModule(model, words, "sum").eval()
    cached = OptionsModule(model, words, "sum", prefix_ids=prefix).eval()
    rows = [[*prefix, 30], [*prefix, 31, 32, 33], [*prefix, 34, 35]]
    ids, mask = torch.zeros(3, 14, dtype=torch.int64), torch.zeros(3, 14, dtype=torch.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = torch.tensor(row), 1
    with torch.inference_mode():
        assert cached._starts_with_prefix(ids, mask)
        torch.testing.assert_close(cached(ids, mask), whole(ids, mask), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(cached(ids, mask), whole(ids, mask), rtol=1e-4, atol=1e-4)
        ids[1, 3] = 40
        assert not cached._starts_with_prefix(ids, mask)
        torch.testing.assert_close(cached(ids, mask), whole(ids, mask), rtol=0, atol=0)


def test_prefix_ids_are_those_of_every_prompt(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    base = tiny_chat(tmp_path)
    prompt = build_prompt(PromptParams(shots=2), toy_dataset(), base, seed=0)
    prefix = shared_prefix_ids(base.path / "tokenizer.json", prompt.before)
    tokenizer = Tokenizer.from_file(str(base.path / "tokenizer.json"))
    for text in toy_dataset().test.texts:
        assert tokenizer.encode(prompt.before + text + prompt.after).ids[: len(prefix)] == prefix
    assert len(prefix) >= len(tokenizer.encode(prompt.before).ids) - 2


@pytest.mark.parametrize("normalisation", ["sum", "per-token", "calibrated", "pmi"])
def test_zero_shot_under_every_normalisation(tmp_path: Path, normalisation: str) -> None:
    base = tiny_chat(tmp_path / "base")
    classifier = fit(recipe("zero-shot", normalisation=normalisation), toy_dataset(), tmp_path / "c", base)
    assert np.isfinite(logits_of(classifier, toy_dataset().test.texts[:3])).all()
    assert ("content_free" in classifier.manifest.settings) == (normalisation in ("calibrated", "pmi"))


def test_sft_answers_and_stops_after_the_answer(tmp_path: Path) -> None:
    """Served by writing, the same training writes the class and its end, and nothing that names no class."""
    base = tiny_chat(tmp_path / "base")
    data = toy_dataset(train=240, validation=60, test=60)
    params = FAST | {"max_length": 48, "chat": True, "epochs": 20}
    options = fit(recipe("sft", **params), data, tmp_path / "options", base)
    writing = fit(recipe("sft", **params, serve="generate"), data, tmp_path / "writing", base)
    assert options.manifest.files["model.safetensors"] == writing.manifest.files["model.safetensors"]
    prediction = serve(writing, data.test.texts)
    assert (prediction.labels == data.test.labels).mean() > 0.6
    assert (prediction.labels >= 0).all()
    chosen = logits_of(options, data.test.texts).argmax(axis=1)
    assert (prediction.labels == chosen).mean() > 0.95
    ends = continuation_ids(base.path / "tokenizer.json", build_prompt(PromptParams(chat=True), data, base, 0), "[SEP]")
    assert all(ids[-1] == 3 for ids in ends)


def serve(classifier: Classifier, texts: tuple[str, ...], max_batch: int = 64, engine: str = "eager") -> Prediction:
    spec = load_engines()[engine].model_copy(update={"options": {"token_budget": 4096, "max_batch": max_batch}})
    session = registry.find("backend", engine)(spec, Workplace("cpu", 1, classifier.path.parent)).load(classifier)
    try:
        return session.predict(texts)
    finally:
        session.close()


@pytest.mark.parametrize(("make", "think_tokens"), [(tiny_chat, 0), (tiny_gpt2, 0), (tiny_qwen3, 0), (tiny_chat, 6)])
def test_a_batch_writes_what_each_text_alone_would(tmp_path: Path, make: object, think_tokens: int) -> None:
    from bench.classifiers.generation import Generator
    from bench.text.tokens import load_tokenizer

    base = make(tmp_path / "base")
    extra = {"think": "open", "think_tokens": think_tokens, "chat": True} if think_tokens else {}
    classifier = fit(recipe("generate", max_new_tokens=5, **extra), toy_dataset(), tmp_path / "c", base)
    tokenizer = load_tokenizer(classifier)
    generator = Generator(classifier, tokenizer.tokenizer, torch.float32, "cpu")
    ids = tokenizer.encode(toy_dataset().test.texts[:12]).ids
    assert len({len(row) for row in ids}) > 3
    written = [generator.write([row])[0] for row in ids]
    assert generator.write(ids) == written
    with torch.inference_mode():
        pack_linears(generator.model)
    assert sum(isinstance(layer, PackedLinear) for layer in generator.model.modules()) > 0
    assert generator.write(ids) == written
    texts = toy_dataset().test.texts
    labels = serve(classifier, texts).labels
    assert (serve(classifier, texts, max_batch=1).labels == labels).all()
    assert (serve(classifier, texts, engine="packed").labels == labels).all()


def test_a_repetition_penalty_reads_no_padding(tmp_path: Path) -> None:
    """Many instructed models carry one; padding with the end of a text made the ends of short prompts rarer."""
    from bench.classifiers.generation import Generator
    from bench.text.tokens import load_tokenizer

    classifier = fit(recipe("generate", max_new_tokens=6), toy_dataset(), tmp_path / "c", tiny_chat(tmp_path / "base"))
    settings = {"repetition_penalty": 1.7, "eos_token_id": 3}
    (classifier.path / "generation_config.json").write_text(json.dumps(settings), encoding="utf-8")
    tokenizer = load_tokenizer(classifier)
    generator = Generator(classifier, tokenizer.tokenizer, torch.float32, "cpu")
    ids = [row[:end] for row in tokenizer.encode(toy_dataset().test.texts).ids for end in (3, len(row))]
    assert generator.write(ids) == [generator.write([row])[0] for row in ids]


def test_invalid_answers_count_as_such(tmp_path: Path) -> None:
    classifier = fit(recipe("generate", max_new_tokens=2), toy_dataset(), tmp_path / "c", tiny_llama(tmp_path / "base"))
    prediction = serve(classifier, toy_dataset().test.texts)
    assert (prediction.labels == -1).any(), "random weights rarely write a class"
    np.testing.assert_allclose(prediction.probabilities.sum(axis=1), 1, rtol=1e-6)
    assert prediction.probabilities[prediction.labels == -1].max() < 0.5


def test_an_answer_that_would_melt_into_the_prompt_keeps_its_own_tokens(tmp_path: Path) -> None:
    """Byte-level BPE reads the last line break of a prompt another way when a word follows it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(["end\n\n", "end\n\n", "A\n\n"], trainers.BpeTrainer(initial_alphabet=alphabet))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    prompt = BuiltPrompt("", "end\n\n", ("A", "B"))
    asked = tokenizer.encode("textend\n\n").ids
    assert tokenizer.encode("textend\n\nA").ids[: len(asked)] != asked, "the seam this test is about"
    ids = continuation_ids(tmp_path / "tokenizer.json", prompt)
    assert [tokenizer.decode(answer) for answer in ids] == ["A", "B"]
