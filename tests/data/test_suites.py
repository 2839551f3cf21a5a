"""Suites: every TOML file is usable, unknown names are answered with near ones."""

from __future__ import annotations

import re

import pytest

from bench.data.packaged import _READERS
from bench.data.suites import load_suite, suite_names
from bench.errors import UsageError
from bench.files.packages import load_assets


def test_the_named_suites_are_there() -> None:
    assert {"agnews", "weibo", "weibo/tags-stripped", "movies", "r8", "reviews-zh", "imdb", "sst2"} <= set(
        suite_names()
    )


@pytest.mark.parametrize("name", suite_names())
def test_a_suite_can_be_asked_and_found(name: str) -> None:
    suite = load_suite(name)
    assert suite.name == name
    assert len(set(suite.class_names)) == len(suite.class_names) >= 2
    assert len(set(suite.prompt.label_words)) == len(suite.class_names)
    assert suite.prompt.template.count("{text}") == 1
    assert suite.prompt.template.format(text="x", options="y") != suite.prompt.template
    if suite.hub is not None:
        assert re.fullmatch("[0-9a-f]{40}", suite.hub.revision)
        assert set(suite.hub.classes) == set(suite.class_names)
    if suite.package is not None:
        assert suite.package.asset in load_assets()
        assert suite.package.reader in _READERS


def test_an_unknown_suite_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UsageError, match=r"unknown suite 'agnewz'; did you mean agnews\?"):
        load_suite("agnewz")
    with pytest.raises(UsageError, match="weibo/tags-stripped"):
        load_suite("weibo/tags-striped")


def test_the_tags_variant_removes_emoticon_tags_only() -> None:
    pattern = load_suite("weibo/tags-stripped").remove
    assert pattern is not None
    assert re.sub(pattern, "", "[泪]好难过[抓狂][a b]") == "好难过[a b]"
    assert load_suite("weibo").remove is None
