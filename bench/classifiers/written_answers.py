"""Reads the class from what a model wrote: an answer that is the name, one that settles on it, or its last mention."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from bench.classifiers import answer_words as words
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
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTER = r"[^\W_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uac00-\ud7af]"  # of words between spaces
_SEPARATORS = re.compile(r"[\s_/-]+")
_FIELDS = ("label", "class", "answer", "category", "prediction", "classification", "result", "topic", "sentiment")
_MOST_CHARACTERS = 8_000  # of an answer's end; nobody settles on a class further from it


Mentioned = Literal["settled", "first", "last"]


class Written(NamedTuple):
    """What a model wrote; `cut`: it did not end by itself within its tokens."""

    text: str
    cut: bool


@dataclass(frozen=True)
class Mention:
    """A class's name in a text."""

    label: int
    start: int
    end: int


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
            (label, _pattern(self._answers[label], folded[_folded(self._answers[label])] > 1)) for label in by_length
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
        meant = _not_denied(said, mentions)
        found = self._first_line(said) or _settled(said, meant)
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
                if not any(taken[mention.start : mention.end]) and _is_a_name(said, mention):
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
    return _SEPARATORS.sub(" ", name.strip().casefold()).strip()


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


def _pattern(name: str, case_counts: bool) -> re.Pattern[str]:
    """The name on its own: part of no longer word, but found inside a sentence where words have no spaces between."""
    body = r"[\s_/-]+".join(re.escape(part) for part in _SEPARATORS.split(name) if part) or re.escape(name)
    before = after = ""
    if name[:1].isalnum() and not _UNSPACED.match(name[:1]):
        before = rf"(?<!{_LETTER})(?<!\w[-'’_])(?<!\d[.,])(?<![&@#$+])"
    if name[-1:].isalnum() and not _UNSPACED.match(name[-1:]):
        after = rf"(?!{_LETTER}|[+#@&]|[-'’_][^\W_]|-(?=\s|$|[,.])|[.,]\d)"
    return re.compile(f"{before}{body}{after}", 0 if case_counts else re.IGNORECASE)


def _is_a_name(said: str, mention: Mention) -> bool:
    """Whether a class is meant and not an article, a pronoun or another little word that is spelt alike."""
    name, rest = said[mention.start : mention.end], said[mention.end :]
    if not name.isalpha() or _UNSPACED.match(name):
        return True
    chosen = _is_anchored(said, mention) or _is_enclosed(said, mention)
    alone = bool(words.ALONE.match(rest))
    if len(name) == 1 and name.islower():
        return chosen and alone
    if chosen or name.casefold() not in words.LITTLE_WORDS:
        return True
    if len(name) > 1:
        return alone
    if name == "A" and (alone or words.LISTED.match(rest)):
        return True
    return alone and bool(words.BEGINNING.search(said[: mention.start]))  # "Neither do I." ends with one too


def _is_anchored(said: str, mention: Mention) -> bool:
    return bool(words.ANCHOR.search(said[max(0, mention.start - 80) : mention.start]))


def _is_enclosed(said: str, mention: Mention) -> bool:
    before, after = said[: mention.start][-1:], said[mention.end : mention.end + 1]
    return bool(before and after) and before in words.OPENING and after in words.CLOSING


def _not_denied(said: str, mentions: Sequence[Mention]) -> list[Mention]:
    """Without the classes that the text says it is not, also as one of several ("neither X nor Y")."""
    meant: list[Mention] = []
    end, denied = 0, False
    for mention in mentions:
        between = said[end : mention.start]
        goes_on = denied and words.JOINED.match(between) and words.ALTERNATIVE.search(between)
        end, denied = mention.end, bool(goes_on) or _is_denied(said, mention)
        if not denied:
            meant.append(mention)
    return meant


def _is_denied(said: str, mention: Mention) -> bool:
    before = said[max(0, mention.start - 80) : mention.start]
    ends = list(words.CLAUSE_END.finditer(before))
    clause = before[ends[-1].end() :] if ends else before
    if words.DENIED_BEFORE.search(clause) and not words.NOT_DENYING.search(clause):
        return True
    return bool(words.DENIED_AFTER.match(said[mention.end : mention.end + 40]))


def _settled(said: str, meant: Sequence[Mention]) -> Mention | None:
    """The mention that the answer settles on: the last that is anchored, enclosed, a first line, or at all."""
    single = [mention for at, mention in enumerate(meant) if not _is_listed(said, meant, at)]
    anchored = [mention for mention in single if _is_anchored(said, mention)]
    if anchored:
        return anchored[-1]
    enclosed = [mention for mention in single if _is_enclosed(said, mention)]
    if enclosed and len({mention.label for mention in enclosed}) == 1:
        return enclosed[-1]
    if single and single[0].start <= 3 and not said[: single[0].start].strip(words.OPENING + " #-"):
        rest = said[single[0].end :]
        if words.SENTENCE_END.match(rest) and not words.TAKEN_BACK.search(rest):
            return single[0]
    return single[-1] if single else None


def _is_listed(said: str, meant: Sequence[Mention], at: int) -> bool:
    """Whether it is one of several classes in a row, such as "X, Y and Z"."""
    neighbours = [(meant[at - 1], meant[at])] if at else []
    neighbours += [(meant[at], meant[at + 1])] if at + 1 < len(meant) else []
    return any(
        first.label != second.label and words.JOINED.match(said[first.end : second.start])
        for first, second in neighbours
    )
