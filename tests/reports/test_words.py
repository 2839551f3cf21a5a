"""Every text of the pages exists in every language, with the same values in it."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator

import pytest
import synthetic_runs as synthetic
from message_templates import all_templates, script_templates
from synthetic_published import published_runs

from bench.results.records import Status, StoredRun
from reports.content.provenance import provenance, title
from reports.content.ranking_lines import ranking_lines
from reports.content.results import tasks_of
from reports.content.standing import standing_of
from reports.leaderboard import render_leaderboard, tables_of
from reports.render.words import Joined, Message, catalogue, joined, languages, message, say

LANGUAGES = [language for language in languages() if language != "en"]
RUNS = {**synthetic.golden_runs(), **published_runs()}


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


def parts(text: str) -> Iterator[str]:
    """The templates and separators that a text of ours is made of; data has none."""
    if isinstance(text, Joined):
        yield from (separator for separator in [text.separator] if re.search("[a-z,;]", separator))
        for part in text.parts:
            yield from parts(part)
    elif isinstance(text, Message):
        yield text.template
        for value in text.values.values():
            if isinstance(value, str):
                yield from parts(value)


def said(run: StoredRun) -> Iterator[str]:
    """Every heading, title, note, line and marked cell of a run's pages."""
    for task in tasks_of(run):
        standing = standing_of(task)
        yield from parts(title(task.data))
        for line in (*provenance(task.data, run.settings, run.environment), *ranking_lines(task, standing)):
            yield from parts(line)
        for table in tables_of(task, standing):
            headings = (text for column in table.columns for text in (column.name, column.unit) if text)
            for text in (table.title, *table.notes, *headings):
                yield from parts(text) if isinstance(text, (Message, Joined)) else [text]
            for row in table.rows:
                for cell in row:
                    yield from parts(cell)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_in_the_source_has_a_translation(language: str) -> None:
    assert sorted(all_templates() - set(catalogue(language))) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_in_the_scripts_of_the_page_has_a_translation(language: str) -> None:
    said = script_templates()
    assert len(said) > 50
    assert sorted(said - set(catalogue(language))) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(RUNS))
def test_every_text_of_a_page_has_a_translation(language: str, name: str) -> None:
    notes = {note for result in RUNS[name].results for note in (*result.data.notes, result.data.source.note) if note}
    assert sorted(set(said(RUNS[name])) - set(catalogue(language)) - notes) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_hold_the_same_values(language: str) -> None:
    for english, other in catalogue(language).items():
        assert fields(english) == fields(other), english
        assert other.strip() or not english.strip()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_status_has_a_translation_that_keeps_its_code(language: str) -> None:
    for status in Status:
        shown = say(message(status.value), language)
        assert status is Status.OK or status.value in shown


def test_data_is_never_translated() -> None:
    assert say(message("{name}: {note}", name="accuracy", note="Time"), "zh") == "accuracy：Time"
    assert say(joined("; ", ["Quality", message("Quality")]), "zh") == "Quality；质量"
    assert say(message("{braces} {in} a title"), "zh") == "{braces} {in} a title"


def test_the_page_in_chinese_has_the_same_tables_and_figures() -> None:
    for run in RUNS.values():
        english, chinese = render_leaderboard(run).markdown, render_leaderboard(run, "zh").markdown
        assert english.count("\n### ") == chinese.count("\n### ")
        assert [line.count("|") for line in english.split("\n")] == [line.count("|") for line in chinese.split("\n")]
        for page in (english, chinese):
            assert re.findall(r"\d\.\d{3} ±\d\.\d{3}", page)
        assert re.findall(r"\d\.\d{3} ±\d\.\d{3}", english) == re.findall(r"\d\.\d{3} ±\d\.\d{3}", chinese)


def test_headings_of_the_chinese_page_are_chinese() -> None:
    page = render_leaderboard(synthetic.full_run(), "zh").markdown
    for heading in re.findall(r"^### (.*)$", page, flags=re.MULTILINE):
        assert any("CJK" in unicodedata.name(letter, "") for letter in heading), heading
