"""Builds the question of a language model classifier: what is asked around a text, and each class's answer."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Literal

from pydantic import Field, field_validator, model_validator

from bench.errors import NotAvailable, UsageError
from bench.text.prompts import IN_QUESTION, check_template, fill, halves, needs, reword
from bench.types import Dataset, Prompt, Wording
from trainers.params import Params

PLACE = "\x00text\x00"
FIRST_SPACELESS = "\u2e80"  # from here on: Chinese, Japanese and Korean writing and its wide signs


class PromptParams(Params):
    """How the model is asked.

    answers: the classes' label words after the prompt, or letters after a list of options; "constrained" and
    "constrained-letters" are the same, written by a model that may write nothing else. template: the whole prompt, with
    {text}, and {options}, {descriptions}, {question} where they belong; asked as it stands. question, noun,
    label_words, descriptions (one a class, or by class): parts of it, instead of the suite's. wording: one of the
    suite's own ways to ask, where it has it. chat: inside the base model's chat template. think: "none", an empty think
    block before the answer ("empty"), or one left open for the model to fill ("open").

    shots: examples a class from train, each cut to `shot_words` words; none is a text of test. examples: which;
    "balanced" as many of each class, by the seed; "random" as many in all, by the seed; "nearest" as many in all, for
    each text those most like it. rotation: by how many places the options move on from the suite's order. text_last:
    question and options stand before the text instead of after it, in the part that all prompts share and that is
    computed once (letters only). suffix: a last line of the question, such as /no_think.
    """

    answers: Literal["words", "letters", "constrained", "constrained-letters"] = "words"
    template: str | None = None
    question: str | None = None
    noun: str | None = None
    label_words: tuple[str, ...] | dict[str, str] | None = None
    descriptions: tuple[str, ...] | dict[str, str] | None = None
    wording: str | None = None
    chat: bool = False
    think: Literal["none", "empty", "open"] = "none"
    shots: int = Field(default=0, ge=0)
    shot_words: int = Field(default=40, ge=1)
    examples: Literal["balanced", "random", "nearest"] = "balanced"
    rotation: int = Field(default=0, ge=0)
    text_last: bool = False
    suffix: str = ""

    @property
    def answer_kind(self) -> Literal["words", "letters"]:
        """What is answered, whether or not anything else may be."""
        return "letters" if self.answers.endswith("letters") else "words"

    @property
    def constrained(self) -> bool:
        """Whether nothing but the answers may be written."""
        return self.answers.startswith("constrained")

    @field_validator("template")
    @classmethod
    def _template_has_places(cls, template: str | None) -> str | None:
        return template if template is None else check_template(template)

    @field_validator("question")
    @classmethod
    def _question_has_places(cls, question: str | None) -> str | None:
        return question if question is None else check_template(question, IN_QUESTION)

    @model_validator(mode="after")
    def _examples_are_counted(self) -> PromptParams:
        if self.examples != "balanced" and not self.shots:
            raise ValueError(f"examples = '{self.examples}' chooses examples, but there are none: set shots too")
        return self

    def prompt_of(self, data: Dataset) -> Prompt:
        """The task's prompt in the recipe's wording; raises UsageError for words that are not one a class."""
        prompt = data.prompt
        if self.wording in prompt.wordings:
            prompt = reword(prompt, prompt.wordings[str(self.wording)], data.class_names)
        own = Wording(
            template=self.template,
            question=self.question,
            noun=self.noun,
            label_words=self.label_words,
            descriptions=self.descriptions,
        )
        return reword(prompt, own, data.class_names)


class WritingParams(PromptParams):
    """The prompt's; tokens of a written answer, and which name in it counts: the one that it settles on, or as some
    write-ups count, the first or the last at all.
    """

    max_new_tokens: int = Field(default=8, ge=1)
    mention: Literal["settled", "first", "last"] = "settled"


def permitted_answers(answers: Sequence[str]) -> list[str]:
    """Each class's answer; raises NotAvailable where two classes have the same."""
    if len({answer.strip() for answer in answers}) < len(answers):
        raise NotAvailable(f"two classes have the same answer; give each a word of its own: {list(answers)}")
    return list(answers)


def question_of(
    params: PromptParams, prompt: Prompt, class_names: Sequence[str]
) -> tuple[str, str, str, tuple[str, ...]]:
    """Before the text, after it, the cue for an answer outside a chat, the answers."""
    if prompt.exact:
        return _as_it_stands(params, prompt, class_names)
    suffix = f"\n{params.suffix}" if params.suffix else ""
    if params.answer_kind == "words":
        if params.rotation or params.text_last:
            raise UsageError("rotation and text_last move option letters; set answers = 'letters'")
        before, after = halves(prompt.template, _values(prompt, class_names))
        after, cue = (after + suffix, "") if not params.chat else (_without_cue(after) + suffix, "")
        return before, after, cue, tuple(f" {word.strip()}" for word in prompt.label_words)
    return _letters(prompt, class_names, params.rotation, params.text_last, suffix)


def _as_it_stands(
    params: PromptParams, prompt: Prompt, class_names: Sequence[str]
) -> tuple[str, str, str, tuple[str, ...]]:
    """A person's own template: nothing is added to it, so that what would be is refused."""
    if params.suffix or params.text_last:
        raise UsageError("suffix and text_last change the suite's prompt; a template of your own has them in itself")
    if params.answer_kind == "words":
        if params.rotation:
            raise UsageError("rotation moves option letters; set answers = 'letters'")
        answers = tuple(word.strip() for word in prompt.label_words)
        values = _values(prompt, class_names)
    else:
        if not needs(prompt.template, "options") and not needs(prompt.question, "options"):
            raise UsageError("a template whose answers are letters must list them: put {options} where they belong")
        order, answers = _order(len(class_names), params.rotation)
        values = _values(prompt, class_names, order)
    before, after = halves(prompt.template, values)
    written = before + PLACE + after
    spaced = written[-1].isspace() or written[-1] >= FIRST_SPACELESS
    return before, after, "", tuple(answer if spaced else f" {answer}" for answer in answers)


def _values(prompt: Prompt, class_names: Sequence[str], order: Sequence[int] | None = None) -> dict[str, str]:
    """What the places of a template stand for, the text apart; `order`: the classes as their letters list them."""
    words = [word.strip() for word in prompt.label_words]
    lines = list(words)
    if order is not None:
        lines = [f"{letter}. {words[label]}" for letter, label in zip(ascii_uppercase, order, strict=False)]
    values = {"options": "\n".join(lines) if order is not None else f"{', '.join(words[:-1])} or {words[-1]}"}
    if needs(prompt.template, "descriptions") or needs(prompt.question, "descriptions"):
        told = prompt.descriptions or ("",) * len(words)
        missing = [name for name, description in zip(class_names, told, strict=True) if not description.strip()]
        if missing:
            raise UsageError(f"the prompt has {{descriptions}}, but none is given of {', '.join(missing)}")
        said = told if order is None else [told[label] for label in order]
        pairs = zip(lines, said, strict=True)
        values["descriptions"] = "\n".join(f"{line}: {description.strip()}" for line, description in pairs)
    return {**values, "question": fill(prompt.question, values)}


def _without_cue(after: str) -> str:
    """In a chat the question ends the message: a last line such as "Topic:" would ask for a continuation."""
    lines = after.rstrip().splitlines()
    return "\n".join(lines[:-1]).rstrip() if len(lines) > 1 and "?" in after else after


def _order(class_count: int, rotation: int) -> tuple[list[int], tuple[str, ...]]:
    """The classes in the order of their letters, and each class's letter: class c at place (c + rotation)."""
    if class_count > len(ascii_uppercase):
        raise NotAvailable(f"{class_count} classes are more than there are letters (26); set answers = 'words'")
    places = [(label + rotation) % class_count for label in range(class_count)]
    return [places.index(place) for place in range(class_count)], tuple(ascii_uppercase[place] for place in places)


def _letters(
    prompt: Prompt, class_names: Sequence[str], rotation: int, text_last: bool, suffix: str
) -> tuple[str, str, str, tuple[str, ...]]:
    """Article, question, options A to D, or the article last."""
    order, letters = _order(len(class_names), rotation)
    values = _values(prompt, class_names, order)
    asked = f"Question: {values['question']}\n{values['options']}"
    before, after = f"{prompt.noun}: ", f"\n\n{asked}{suffix}"
    if text_last:
        before, after = f"{asked}\n\n{before}", suffix
    return before, after, "\nAnswer:", tuple(f" {letter}" for letter in letters)
