"""Builds the prompt of a language model classifier: label words or option letters, examples, a chat around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import NotAvailable, UsageError
from bench.text.language import is_spaceless, lacks_words
from bench.text.neighbours import Examples, same_text
from bench.text.splits import stratified_order
from bench.text.tokens import TextTokenizer
from bench.types import BaseWeights, Dataset
from trainers.shared.questions import PLACE, PromptParams, question_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EMPTY_THOUGHT = "<think>\n\n</think>\n\n"
OPEN_THOUGHT = "<think>\n"


@dataclass(frozen=True)
class BuiltPrompt:
    """What stands before and after a text, each class's answer as it follows, and the word that it is read by.

    `notes` are for the table. Where the examples depend on the text, they stand between `before` and it (`nearest`).
    """

    before: str
    after: str
    answers: tuple[str, ...]
    words: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    nearest: Examples | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What stands around a text, as a classifier's settings have it."""
        around: dict[str, Any] = {"before": self.before, "after": self.after}
        return around | {"nearest": True} if self.nearest else around

    def save(self, folder: Path) -> None:
        """Write what the settings alone do not hold into a classifier's folder."""
        if self.nearest:
            self.nearest.save(folder)

    def tokenizer(self, base: BaseWeights, max_length: int) -> TextTokenizer:
        """What reads texts within this prompt."""
        path = base.path / "tokenizer.json"
        return TextTokenizer.from_file(path, max_length, self.before, self.after, self.nearest)

    @property
    def premise(self) -> str:
        """The prompt's last line: what an answer follows when there is no text."""
        return self.after.splitlines()[-1] if self.after.strip() else self.after


def build_prompt(params: PromptParams, data: Dataset, base: BaseWeights, seed: int) -> BuiltPrompt:
    """The prompt for a task and a base model; examples are the seed's."""
    asked = ask(params, data, seed)
    if not params.chat:
        return asked
    lead = asked.nearest.lead if asked.nearest else ""
    before, after = _in_chat(base, asked.before + lead, asked.after, params.think)
    return replace(asked, before=before.removesuffix(lead), after=after)


def ask(params: PromptParams, data: Dataset, seed: int) -> BuiltPrompt:
    """The prompt for a task, for a chat the user's message; the server or a base model's template makes it a chat."""
    prompt = params.prompt_of(data)
    before, after, cue, answers = question_of(params, prompt, data.class_names)
    words = answers if params.answer_kind == "letters" else prompt.label_words
    read_by = tuple(word.strip() for word in words)
    nearest = _nearest(params, data, before, after + cue, answers) if params.examples == "nearest" else None
    shots = [f"{before}{text}{after}{cue}{answers[label]}\n\n" for text, label in _examples(params, data, seed)]
    before = "" if nearest else "".join(shots) + before
    notes = _wording_notes(params, data)
    if not params.chat and params.think == "none":
        return BuiltPrompt(before, after + cue, answers, read_by, notes, nearest)
    if not params.chat:
        after = _with_thought(after + cue, params.think)
    return BuiltPrompt(before, after, tuple(answer.strip() for answer in answers), read_by, notes, nearest)


def _with_thought(asked: str, think: str) -> str:
    """Outside a chat a thought begins on a line of its own, unless the template has begun it already."""
    block = EMPTY_THOUGHT if think == "empty" else OPEN_THOUGHT
    return asked if asked.endswith(block) else f"{asked.rstrip()}\n{block}"


def _wording_notes(params: PromptParams, data: Dataset) -> tuple[str, ...]:
    """Which of the suite's ways to ask was taken, where a recipe wants a certain one."""
    if params.wording is None or params.template is not None:
        return ()
    if params.wording in data.prompt.wordings:
        return (f"asked in the wording '{params.wording}'",)
    return (f"this data has no wording '{params.wording}': asked in its usual one",)


def _examples(params: PromptParams, data: Dataset, seed: int) -> list[tuple[str, int]]:
    """`shots` texts of each class, in an order that mixes the classes, or as many in all by chance; none of test."""
    if not params.shots or params.examples == "nearest":
        return []
    tested = set(map(same_text, data.test.texts))
    wanted = dict.fromkeys(range(len(data.class_names)), params.shots)
    in_all = params.shots * len(data.class_names)
    by_chance = params.examples == "random"
    rows = np.random.RandomState(seed).permutation(len(data.train)) if by_chance else None
    chosen: list[tuple[str, int]] = []
    for row in stratified_order(data.train.labels, seed) if rows is None else rows:
        label, text = int(data.train.labels[row]), data.train.texts[row]
        if len(chosen) == in_all:
            break
        if (by_chance or wanted[label]) and same_text(text) not in tested:
            wanted[label] -= 1
            chosen.append((_shortened(text, params.shot_words), label))
    return chosen


def _shortened(text: str, words: int) -> str:
    return " ".join(text.split()[:words])


def _nearest(params: PromptParams, data: Dataset, before: str, after: str, answers: Sequence[str]) -> Examples:
    """All of train to choose from, as many a text as `shots` of each class are."""
    texts = data.train.texts
    return Examples(
        texts=texts,
        shown=tuple(_shortened(text, params.shot_words) for text in texts),
        answers=tuple(answers[label] for label in data.train.labels),
        count=min(params.shots * len(data.class_names), len(texts)),
        by_character=is_spaceless(data.language) or lacks_words(texts),
        before=before,
        after=after,
        lead=before,
    )


def _in_chat(base: BaseWeights, before: str, after: str, think: str) -> tuple[str, str]:
    """The halves inside the base model's chat template, up to where its answer begins."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(base.path, local_files_only=True)
    if not tokenizer.chat_template:
        raise UsageError(f"{base.name} has no chat template; set chat = false")
    message = [{"role": "user", "content": f"{before}{PLACE}{after}"}]
    asked = tokenizer.apply_chat_template(
        message, tokenize=False, add_generation_prompt=True, enable_thinking=think != "empty"
    )
    if think == "empty" and not asked.endswith(EMPTY_THOUGHT):
        asked += EMPTY_THOUGHT
    if think == "open" and not asked.endswith(OPEN_THOUGHT):
        asked += OPEN_THOUGHT
    start, end = asked.split(PLACE)
    bos = tokenizer.bos_token
    if bos and start.startswith(bos) and _adds(tokenizer.backend_tokenizer, bos):
        start = start.removeprefix(bos)  # the tokenizer puts it there itself
    return start, end


def _adds(tokenizer: Tokenizer, token: str) -> bool:
    return tokenizer.encode("").tokens[:1] == [token]


def prompt_length(base: BaseWeights, wanted: int, answer_tokens: int) -> int:
    """Tokens of a prompt that are read, so that what follows it still has positions; UsageError where there is no room.

    answer_tokens: how many tokens of an answer are read behind the prompt, or written.
    """
    room = base.max_length if base.positions is None else min(base.max_length, base.positions - answer_tokens)
    if room < 1:
        raise UsageError(f"{answer_tokens} tokens of an answer leave no room in the {base.positions} of {base.name}")
    return min(wanted, room)


def continuation_ids(tokenizer_json: Path, prompt: BuiltPrompt, end: str = "") -> list[list[int]]:
    """Token ids of each class's answer, and of `end`, as they follow the prompt.

    Where an answer would change the prompt's last tokens ("\\n\\n" is another token before a word than at an end), its
    own tokens are taken: what a model that has read the prompt would write. Raises NotAvailable when two classes would
    be scored by the same tokens.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    asked = f"{prompt.before}text{prompt.after}"
    start = tokenizer.encode(asked, add_special_tokens=False).ids
    ids = []
    for answer in prompt.answers:
        whole = tokenizer.encode(f"{asked}{answer}{end}", add_special_tokens=False).ids
        joins = whole[: len(start)] == start
        own = whole[len(start) :] if joins else tokenizer.encode(f"{answer}{end}", add_special_tokens=False).ids
        ids.append(own)
    if len({tuple(answer) for answer in ids}) < len(ids):
        raise NotAvailable(f"two classes have the same answer; give each a word of its own: {list(prompt.answers)}")
    return ids


def shared_prefix_ids(tokenizer_json: Path, before: str) -> list[int]:
    """Token ids that every prompt starts with, whatever text follows: all of `before` but where the text may join."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_json))
    tokenizer.no_truncation()
    encoded = [tokenizer.encode(f"{before}{text}").ids for text in ("a", "Q", "1", "。", " ", "\n", "'s")]
    length = 0
    while all(len(ids) > length + 1 and ids[length] == encoded[0][length] for ids in encoded):
        length += 1
    return list(encoded[0][:length])


def end_of_answer(base: BaseWeights) -> str:
    """The token with which the base model ends what it says."""
    from transformers import AutoTokenizer

    end = AutoTokenizer.from_pretrained(base.path, local_files_only=True).eos_token
    if not end:
        raise UsageError(f"{base.name} has no end-of-text token; it cannot be trained to stop")
    return str(end)
