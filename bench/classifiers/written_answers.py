"""Reads the class from what a model wrote: an answer that is the name, one that settles on it, or its last mention."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

from bench.classifiers import answer_words as words
from bench.classifiers.answer_mentions import BETWEEN, Mention, is_a_name, leave_denied_out, name_pattern, settle
from bench.types import Ending

BEGIN_OF_THOUGHT, END_OF_THOUGHT = "<think>", "</think>"
_THOUGHTS = (
    (BEGIN_OF_THOUGHT, END_OF_THOUGHT),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("<reflection>", "</reflection>"),
    ("<analysis>", "</analysis>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis", "<|channel|>final<|message|>"),
)
_SPECIAL_TOKEN = re.compile(r"<\|[^|<>\n]{1,40}\|>|</?s>|<(?:eos|bos|pad|end_of_turn|start_of_turn)>|\[/?INST\]")
_FENCE = re.compile(r"^```[\w-]*\n(.*?)\n?```$", re.DOTALL)
_TAGGED = re.compile(r"^(?:<(\w+)>(.*)</\1>|\$?\\boxed\{(.*)\}\$?)$", re.DOTALL)
_PAIRS = (("**", "**"), ("__", "__"), *zip(words.OPENING, "\"'”’“»`*_)）]】」』》>}", strict=True))
_TRAILING = " \t\n.,;:!?。，；：！？、"
_FIELDS = ("label", "class", "answer", "category", "prediction", "classification", "result", "topic", "sentiment")
_MOST_CHARACTERS = 8_000  # of an answer's end; nobody settles on a class further from it


Mentioned = Literal["settled", "first", "last"]


class Written(NamedTuple):
    """What a model wrote; `cut`: it did not end by itself within its tokens."""

    text: str
    cut: bool


class AnswerReader:
    """Finds the class that a written answer means; -1 where it names none, several at once, or is still a thought.

    An answer equal to a name after trimming comes first ("C++", "5*"); then one that settles on a class ("answer is B",
    "(B)", JSON with the label, a first line of its own); then the last mention that is neither denied nor one of a
    list. Letters count in capitals and on their own, words in any case; an article or a pronoun is no letter.
    """

    def __init__(self, answers: Sequence[str], mention: Mentioned = "settled") -> None:
        """`mention`: what the answer settles on, or as some write-ups count, the first or last name in it at all."""
        self._mention = mention
        self._answers = [unicodedata.normalize("NFKC", answer).strip() for answer in answers]
        self._exact = [(key, _unique(self._answers, key)) for key in (_as_it_is, _folded, _bare)]
        folded = Counter(_folded(answer) for answer in self._answers)
        by_length = sorted(range(len(self._answers)), key=lambda label: -len(self._answers[label]))
        self._patterns = [
            (label, name_pattern(self._answers[label], folded[_folded(self._answers[label])] > 1))
            for label in by_length
        ]

    def read_ending(self, written: Written) -> tuple[int, Ending]:
        """The class meant, and how the answer ended; one that is a thought alone is empty, or cut off within it."""
        text, cut = written
        label = self.read(text, cut)
        if label < 0 and not _SPECIAL_TOKEN.sub("", _after_thought(text) or "").strip():
            return label, Ending.CUT_OFF if cut and text.strip() else Ending.EMPTY
        return label, Ending.CUT_OFF if cut else Ending.WHOLE

    def read(self, written: str, cut: bool = False) -> int:
        """The class meant by `written`; `cut`: it was ended by its limit, so that its last word may be half a name."""
        said = _after_thought(written)
        if said is None:
            return -1
        said = unicodedata.normalize("NFKC", _SPECIAL_TOKEN.sub("", said[-_MOST_CHARACTERS:])).strip()
        if (label := self._equal(said)) is not None:
            return -1 if cut and self._may_go_on(said) else label
        if not said:
            return -1
        if self._mention != "settled":
            return self._counted(said, cut)
        return self._meant(said, cut)

    def _meant(self, said: str, cut: bool) -> int:
        """What the answer settles on."""
        if (label := self._structured(said)) is not None:
            return label
        mentions = self._mentions(said)
        meant = leave_denied_out(said, mentions)
        found = self._first_line(said) or settle(said, meant)
        if found is None or (cut and found.end == len(said) and self._may_go_on(said[found.start :])):
            return -1
        return found.label

    def _counted(self, said: str, cut: bool) -> int:
        """The first or the last name, whatever is said of it."""
        mentions = self._mentions(said)
        if not mentions:
            return -1
        found = mentions[0 if self._mention == "first" else -1]
        half = cut and found.end == len(said) and self._may_go_on(said[found.start :])
        return -1 if half else found.label

    def _first_line(self, said: str) -> Mention | None:
        """A first line that is a name and nothing else, whatever the model goes on with: but no list of names."""
        first, *others = [line for line in said.splitlines() if line.strip()]
        label = self._equal(first.strip())
        if label is None or not others or words.TAKEN_BACK.search(" ".join(others)):
            return None
        return Mention(label, 0, 1) if self._equal(others[0].strip()) in (None, label) else None

    def _equal(self, said: str) -> int | None:
        """The class whose name it is, as it stands first, then without quotes, marks and full stops around it."""
        for form in _trimmed(said):
            for key, names in self._exact:
                if (label := names.get(key(form))) is not None:
                    return label
        return None

    def _may_go_on(self, ending: str) -> bool:
        begun = _folded(ending)
        return any(_folded(name).startswith(begun) and _folded(name) != begun for name in self._answers)

    def _structured(self, said: str) -> int | None:
        """The class that a JSON answer holds: under a usual name first, or with the largest of its numbers."""
        content = _json_of(said)
        if content is None:
            return None
        scores = [
            (float(value), label)
            for key, value in (content.items() if isinstance(content, dict) else ())
            if isinstance(value, int | float) and (label := self._equal(str(key))) is not None
        ]
        if scores:
            best = [label for value, label in scores if value == max(scores)[0]]
            return best[0] if len(best) == 1 else -1
        named = [str(leaf) for leaf in _leaves(content, _FIELDS)]
        equal = (self._equal(str(leaf)) for leaf in _leaves(content, None))
        found = {self.read(leaf) for leaf in named} or {label for label in equal if label is not None}
        return (found.pop() if len(found) == 1 else -1) if found else None

    def _mentions(self, said: str) -> list[Mention]:
        """Every name in the text; longer ones take their place from those within them."""
        found: list[Mention] = []
        taken = bytearray(len(said))
        for label, pattern in self._patterns:
            for match in pattern.finditer(said):
                mention = Mention(label, match.start(), match.end())
                if not any(taken[mention.start : mention.end]) and is_a_name(said, mention):
                    found.append(mention)
                    taken[mention.start : mention.end] = b"\1" * (mention.end - mention.start)
        return sorted(found, key=lambda mention: mention.start)


def _after_thought(written: str) -> str | None:
    """What stands behind the last thought; None where one was begun and not ended."""
    for begin, end in _THOUGHTS:
        before, closed, rest = written.rpartition(end)
        if begin in (rest if closed else before + rest):
            return None
        written = rest
    return written


def _as_it_is(name: str) -> str:
    return name


def _folded(name: str) -> str:
    return BETWEEN.sub(" ", name.strip().casefold())


def _bare(name: str) -> str:
    """Without the marks around it; a name of marks alone keeps them."""
    folded = _folded(name)
    return folded.strip(_TRAILING + words.OPENING + words.CLOSING) or folded


def _unique(names: Sequence[str], key: Callable[[str], str]) -> dict[str, int]:
    """Labels by the key of their names, of those that share it with no other."""
    counted = Counter(map(key, names))
    return {key(name): label for label, name in enumerate(names) if key(name) and counted[key(name)] == 1}


def _trimmed(said: str) -> Iterator[str]:
    """The text, then it with one layer of quotes, marks or full stops less each time."""
    yield said
    for _ in range(12):
        before, said = said, _inner(said)
        if said == before:
            return
        yield said


def _inner(said: str) -> str:
    if match := _FENCE.match(said):
        return match[1].strip()
    if match := _TAGGED.match(said):
        return (match[2] or match[3] or "").strip()
    for begin, end in _PAIRS:
        if len(said) > len(begin) + len(end) and said.startswith(begin) and said.endswith(end):
            return said[len(begin) : -len(end)].strip()
    shorter = said.rstrip()
    if shorter and shorter[-1] in _TRAILING:
        return shorter[:-1].rstrip()
    return shorter.removeprefix("- ").removeprefix("• ").strip()


def _json_of(said: str) -> Any:
    """The first JSON object or list in the text; None without one."""
    for start in [at for at, character in enumerate(said) if character in "{["][:5]:
        try:
            content, _ = json.JSONDecoder().raw_decode(said, start)
        except (ValueError, RecursionError):
            continue
        return content
    return None


def _leaves(content: Any, fields: Sequence[str] | None, depth: int = 0) -> Iterator[Any]:
    """The plain values of JSON, of all fields or of those that hold one of the names in theirs."""
    if depth > 8:
        return
    if isinstance(content, dict):
        for key, value in content.items():
            named = fields is None or any(field in str(key).casefold() for field in fields)
            yield from _leaves(value, None if named else fields, depth + 1)
    elif isinstance(content, list):
        for value in content:
            yield from _leaves(value, fields, depth + 1)
    elif fields is None and isinstance(content, str | int | float) and not isinstance(content, bool):
        yield content
