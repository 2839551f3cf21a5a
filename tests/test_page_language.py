"""The page in another language: whatever Chromium shows of it is said in that language, or is data of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path

import pytest
import synthetic_runs as synthetic
from invented_run import Size, write_run
from playwright.sync_api import Page
from synthetic_published import agnews_run, sst2_run
from synthetic_server import server_run
from synthetic_study import study_run
from test_page_browser import NOTHING, browser, opened  # noqa: F401 - fixtures

from bench.evidence import evidence_of
from bench.published import published_figures
from bench.results import Evidence, StoredRun
from bench.store import open_run
from reports.leaderboard import render_leaderboard
from reports.markdown import clean
from reports.page import vendored_files
from reports.words import catalogue

LATIN = re.compile(r"[A-Za-z]{2,}")
AMOUNT = re.compile(r"\d[\d.,]*\s?(?:ms|min|s|h|kB|MB|GB|x)(?![a-z])")
SHOWN = """() => {
  const found = [document.title, document.querySelector("noscript").textContent];
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest("style")) found.push(walker.currentNode.textContent);
  for (const each of document.querySelectorAll("main *"))
    for (const name of ["title", "aria-label", "placeholder"])
      if (!each.closest("svg") || each.matches("svg.plot")) found.push(each.getAttribute(name) ?? "");
  return found;
}"""


def data_of(run: StoredRun, texts: tuple[str, ...]) -> list[str]:
    """What the page shows and nobody translates: names, reasons, versions, texts, published systems; longest first."""
    found = set(texts)
    for row in run.results:
        cell, card = row.cell, row.data
        base = (cell.base_model or "").rsplit("/", 1)[-1]
        found |= {cell.recipe, cell.method, cell.engine or "", cell.precision or "", base, cell.base_model or ""}
        found |= {cell.variant_of or "", cell.variant or "", row.reason or "", cell.task, cell.stands_for or ""}
        found |= {card.title, card.source.name, card.source.note or "", card.source.licence or "", *card.notes}
        found |= {card.fingerprint, card.source.revision or ""}
        found |= set(card.class_names)
        found |= {(row.parity.reference if row.parity else ""), *(row.load[name].tier for name in row.load)}
    found |= {text for figure in published_figures() for text in (figure.system, figure.hardware, figure.source)}
    found |= {"Python", *strings(json.loads(json.dumps(run.environment)))}
    found |= set(vendored_files())
    found |= {run.settings.tier, run.settings.models, run.settings.device}
    found |= {text[:12] for text in found if re.fullmatch("[0-9a-f]{13,}", text)}
    return sorted(map(clean, found - {""}), key=len, reverse=True)


def strings(content: object) -> Iterator[str]:
    """Every string of a JSON document, keys included: package names are keys."""
    if isinstance(content, dict):
        yield from content
        content = list(content.values())
    if isinstance(content, list):
        for each in content:
            yield from strings(each)
    elif isinstance(content, str):
        yield content


def kept_words() -> set[str]:
    """Latin words that the catalogue itself uses, but for those in its commands."""
    spoken = [re.sub(r"\{.*?\}", "", value) for value in catalogue("zh").values() if "--" not in value]
    return {word for value in spoken for word in LATIN.findall(value)}


def leftovers(page: Page, run: StoredRun, texts: tuple[str, ...] = ()) -> set[str]:
    """Words of the page, its tips and its empty states included, that are neither data nor the catalogue's."""
    found = page.evaluate(SHOWN)
    for plot in page.locator("svg.plot").all():
        plot.scroll_into_view_if_needed()
        dots = plot.locator("g[aria-label=dot] > *")
        if dots.count():
            box = dots.nth(dots.count() // 2).bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            found += page.evaluate(SHOWN)
    for search in page.locator("input[type=search]").all():
        search.fill("zzz")
    found += page.evaluate(SHOWN)
    data, kept, left = data_of(run, texts), kept_words(), set()
    for text in set(found):
        ours = AMOUNT.sub(" ", reduce(lambda rest, known: rest.replace(known, " "), data, text))
        left |= {word for word in LATIN.findall(ours) if word not in kept}
    return left


RUNS = {
    "rows of every fate": synthetic.full_run,
    "the sample": synthetic.sample_run,
    "a study": study_run,
    "server": server_run,
    "published sample sizes": sst2_run,
    "published curves": agnews_run,
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_of_the_chinese_page_is_left_in_english(opened, tmp_path: Path, name: str) -> None:  # noqa: F811
    run = RUNS[name]()
    page = opened(written(tmp_path, run, NOTHING, "zh"))
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert leftovers(page, run) == set()


def test_texts_latencies_and_flips_are_labelled_in_chinese_too(opened, tmp_path: Path) -> None:  # noqa: F811
    texts = ("wheat harvest", "<b>markup</b>", "שלום")
    write_run(tmp_path / "run", Size(classifiers=3, items=300, queries=700), texts, "News")
    run, evidence = open_run(tmp_path / "run"), evidence_of(tmp_path / "run")
    stored = tuple(evidence.texts(run.results[0].data.fingerprint).values())
    assert leftovers(opened(written(tmp_path, run, evidence, "zh")), run, stored) == set()


def test_the_check_itself_sees_english(opened, tmp_path: Path) -> None:  # noqa: F811
    run = server_run()
    left = leftovers(opened(written(tmp_path, run, NOTHING, "en")), run)
    assert {"Throughput", "classifier", "requests", "rows", "filter", "limit", "Made"} <= left


def written(folder: Path, run: StoredRun, evidence: Evidence, language: str) -> Path:
    path = folder / f"page.{language}.html"
    path.write_text(render_leaderboard(run, language).page(evidence), encoding="utf-8")
    return path
