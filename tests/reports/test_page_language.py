"""The page in another language: whatever Chromium shows of it is said in that language, or is data of the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic_runs as synthetic
from browser_pages import NOTHING
from invented_run import Size, write_run
from playwright.sync_api import Page
from synthetic_published import agnews_run, sst2_run
from synthetic_server import server_run
from synthetic_study import study_run
from untranslated import data_of, english_left

from bench.results.evidence import evidence_of
from bench.results.records import Evidence, StoredRun
from bench.results.store import open_run
from reports.leaderboard import render_leaderboard

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
    return english_left(found, data_of(run).union(texts))


RUNS = {
    "rows of every fate": synthetic.full_run,
    "the sample": synthetic.sample_run,
    "a study": study_run,
    "server": server_run,
    "published sample sizes": sst2_run,
    "published curves": agnews_run,
}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_of_the_chinese_page_is_left_in_english(opened, tmp_path: Path, name: str) -> None:
    run = RUNS[name]()
    page = opened(written(tmp_path, run, NOTHING, "zh"))
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert leftovers(page, run) == set()


def test_texts_latencies_and_flips_are_labelled_in_chinese_too(opened, tmp_path: Path) -> None:
    texts = ("wheat harvest", "<b>markup</b>", "שלום")
    write_run(tmp_path / "run", Size(classifiers=3, items=300, queries=700), texts, "News")
    run, evidence = open_run(tmp_path / "run"), evidence_of(tmp_path / "run")
    stored = tuple(evidence.texts(run.results[0].data.fingerprint).values())
    assert leftovers(opened(written(tmp_path, run, evidence, "zh")), run, stored) == set()


def test_the_check_itself_sees_english(opened, tmp_path: Path) -> None:
    run = server_run()
    left = leftovers(opened(written(tmp_path, run, NOTHING, "en")), run)
    assert {"Throughput", "classifier", "requests", "rows", "filter", "limit", "Made"} <= left


def written(folder: Path, run: StoredRun, evidence: Evidence, language: str) -> Path:
    path = folder / f"page.{language}.html"
    path.write_text(render_leaderboard(run, language).page(evidence), encoding="utf-8")
    return path
