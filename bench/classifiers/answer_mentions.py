"""Finds the classes that a text mentions, and the one that it settles on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.classifiers import answer_words as words

BETWEEN = re.compile(r"(?<=[^\s_/-])[\s_/-]+(?=[^\s_/-])")  # a sign at an end is part of a name: "A-" is no A
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_LETTER = r"[^\W_\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u9fff\uac00-\ud7af]"  # of words between spaces


@dataclass(frozen=True)
class Mention:
    """A class's name in a text."""

    label: int
    start: int
    end: int


def name_pattern(name: str, case_counts: bool) -> re.Pattern[str]:
    """The name on its own: part of no longer word, but found inside a sentence where words have no spaces between."""
    body = r"[\s_/-]+".join(re.escape(part) for part in BETWEEN.split(name))
    before = after = ""
    if name[:1].isalnum() and not _UNSPACED.match(name[:1]):
        before = rf"(?<!{_LETTER})(?<!\w[-'’_])(?<!\d[.,])(?<![&@#+])(?:(?<!\$)|(?={body}\$))"
    if name[-1:].isalnum() and not _UNSPACED.match(name[-1:]):
        after = rf"(?!{_LETTER}|[+#@&]|[-'’_][^\W_]|-(?=\s|$|[,.])|[.,]\d)"
    return re.compile(f"{before}{body}{after}", 0 if case_counts else re.IGNORECASE)


def is_a_name(said: str, mention: Mention) -> bool:
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
    return _is_little_name(said, mention, alone) if len(name) > 1 else _is_letter(said, mention, alone)


def _is_little_name(said: str, mention: Mention, alone: bool) -> bool:
    """Whether a word like "us" or "no" is the class: on its own, US in capitals, "no" that begins an answer."""
    name, rest = said[mention.start : mention.end], said[mention.end :]
    begins = not said[: mention.start].strip(words.OPENING + words.CLOSING + " \n#-")
    in_capitals = name.isupper() and not said.isupper()
    return alone or in_capitals or (name.casefold() == "no" and (begins or rest.startswith(",")))


def _is_letter(said: str, mention: Mention, alone: bool) -> bool:
    """Whether "A" or "I" is the option and not the first word of a sentence."""
    rest = said[mention.end :]
    if words.CONFIRMED.match(rest):
        return True
    if said[mention.start] == "A" and (alone or rest.startswith(",") or words.LISTED.match(rest)):
        return True
    return alone and bool(words.BEGINNING.search(said[: mention.start]))  # "Neither do I." ends with one too


def _is_anchored(said: str, mention: Mention) -> bool:
    return bool(words.ANCHOR.search(said[max(0, mention.start - 80) : mention.start]))


def _is_enclosed(said: str, mention: Mention) -> bool:
    before, after = said[: mention.start][-1:], said[mention.end : mention.end + 1]
    return bool(before and after) and before in words.OPENING and after in words.CLOSING


def leave_denied_out(said: str, mentions: Sequence[Mention]) -> list[Mention]:
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


def settle(said: str, meant: Sequence[Mention]) -> Mention | None:
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
    between = [said[first.end : second.start] for first, second in neighbours if first.label != second.label]
    return any(words.JOINED.match(text) or words.UNDER_EACH_OTHER.fullmatch(text) for text in between)
