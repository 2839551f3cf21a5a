"""The HTML page in a real Chromium: sorted, filtered, hovered, by keyboard, light, dark, on a phone, offline.

It needs the Debian package `chromium` (or CHROMIUM with its path). Where there is none the tests are skipped, except
with BENCH_NEEDS_CHROMIUM set, as in CI: there they fail.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from browser_pages import NOTHING
from invented_run import Size, write_run
from playwright.sync_api import Page, expect
from synthetic_published import sst2_run
from synthetic_runs import full_run, sample_run
from synthetic_server import server_run
from synthetic_study import study_run

from bench.results.evidence import evidence_of
from bench.results.records import StoredRun
from bench.results.store import open_run
from reports.leaderboard import render_leaderboard

HOSTILE = (
    "<script>window.hacked = 1</script></script><!-- <img src=x onerror='window.hacked = 1'>",
    "שלום עולם: 5 > 3 | רשימה",
    "first line | pipe\nsecond line",
)
EVIL_NAME = "<img src=x onerror='window.hacked = 1'>"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Pages: an invented run folder, one with several tasks and rows of every fate, and a study."""
    folder = tmp_path_factory.mktemp("pages")
    write_run(folder / "run", Size(classifiers=8, items=400, queries=700), HOSTILE, EVIL_NAME)
    full, sample = full_run(), sample_run()
    both = StoredRun(
        full.folder, full.settings, full.environment, full.results + sample.results, {**full.answers, **sample.answers}
    )
    names = ("one", "several", "study", "published", "server")
    pages = SimpleNamespace(**{name: folder / f"{name}.html" for name in names})
    one = render_leaderboard(open_run(folder / "run")).page(evidence_of(folder / "run"))
    pages.one.write_text(one, encoding="utf-8")
    pages.several.write_text(render_leaderboard(both).page(NOTHING), encoding="utf-8")
    pages.published.write_text(render_leaderboard(sst2_run()).page(NOTHING), encoding="utf-8")
    pages.server.write_text(render_leaderboard(server_run()).page(NOTHING), encoding="utf-8")
    pages.study.write_text(render_leaderboard(study_run()).page(NOTHING), encoding="utf-8")
    return pages


def board(page: Page):
    return page.get_by_role("region", name="one a classifier and engine").first


def shown(page: Page, name: str) -> list[str]:
    """A column of the leaderboard as it stands, hidden rows left out."""
    headings = board(page).locator("thead th").all_inner_texts()
    at = next(
        at for at, heading in enumerate(headings) if heading.split()[0] == name.split(maxsplit=1)[0] and name in heading
    )
    return [
        text.strip() for text in board(page).locator(f"tbody tr:not([hidden]) td:nth-child({at + 1})").all_inner_texts()
    ]


def choice(page: Page, label: str):
    return page.get_by_role("combobox", name=label, exact=True).first


def leading(texts: list[str]) -> list[float]:
    return [float(text.split()[0].replace(",", "")) for text in texts if text[:1].isdigit()]


def heading(page: Page, name: str):
    return board(page).locator("thead button", has_text=name).first


def test_table_and_plot_stand_on_the_first_screen(opened, files) -> None:
    page = opened(files.one)
    assert page.get_by_role("heading", level=1).inner_text() == EVIL_NAME
    lead = page.locator(".lead").inner_text()
    for words in ("40 results", "all 400 test texts", "local files", "Invented CPU"):
        assert words in lead
    assert page.locator("svg.plot").first.bounding_box()["y"] < 500
    assert board(page).bounding_box()["y"] < 900
    assert len(shown(page, "classifier")) == 40
    assert page.locator(".interval").count() == 40
    assert page.get_by_text("Where the figures come from").count() == 1


def test_sorting_by_mouse_puts_the_best_first_and_missing_figures_last(opened, files) -> None:
    page = opened(files.one)
    heading(page, "macro F1").click()
    scores = leading(shown(page, "macro F1"))
    assert scores == sorted(scores, reverse=True)
    for _ in range(2):
        heading(page, "single").click()
        rates = shown(page, "single")
        assert rates[-1] == "INVALID"
        order = leading(rates)
        falling = board(page).locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
        assert order == sorted(order, reverse=falling)
    assert board(page).locator("th[aria-sort]").count() == 1


def test_sorting_by_keyboard(opened, files) -> None:
    page = opened(files.one)
    heading(page, "macro F1").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "accuracy"
    page.keyboard.press("Enter")
    scores = leading(shown(page, "accuracy"))
    assert scores == sorted(scores, reverse=True)
    page.keyboard.press("Space")
    assert leading(shown(page, "accuracy")) == sorted(scores)


def test_filters_narrow_table_and_plot_alike(opened, files) -> None:
    page = opened(files.one)
    page.get_by_label("filter the rows").fill("onnx-int8 method-00")
    assert set(shown(page, "engine")) == {"onnx-int8"}
    assert page.get_by_text("8 of 40 rows", exact=True).is_visible()
    assert page.locator("svg.plot").first.locator("g[aria-label=dot]").first.locator("*").count() == 8
    page.get_by_label("filter the rows").fill("")
    choice(page, "engine").select_option("eager")
    assert set(shown(page, "engine")) == {"eager"}
    choice(page, "engine").select_option("all")
    choice(page, "rows").select_option("that keep their answers")
    assert {mark.partition(" (")[0] for mark in shown(page, "answers")} == {"same"}
    page.get_by_label("filter the rows").fill("nothing like this")
    assert shown(page, "engine") == []
    assert page.get_by_text("No row to draw").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hovering_a_point_tells_its_row(opened, files, scheme: str) -> None:
    page = opened(files.one, scheme=scheme)
    plot = page.locator("svg.plot").first
    box = plot.locator("g[aria-label=dot]").first.locator("*").nth(3).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = plot.locator("g[aria-label=tip]")
    expect(tip).to_contain_text("macro F1 0.")
    expect(tip).to_contain_text("requests/s")
    expect(tip).to_contain_text("answers: same")
    ground, ink = tip.evaluate(
        "tip => [getComputedStyle(tip.querySelector('path')).fill, getComputedStyle(tip.querySelector('text')).color]"
    )
    assert contrast(channels(ground), channels(ink)) > 7
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    chosen = board(page).locator("tr[aria-selected=true]").inner_text()
    assert tip.locator("text").text_content().split(" · ")[0].strip("\u200b ") in chosen


def test_the_axes_can_be_chosen(opened, files) -> None:
    page = opened(files.one)
    choice(page, "quality").select_option("accuracy")
    choice(page, "speed").select_option("offline: all texts at once")
    labels = page.locator("svg.plot").first.text_content()
    assert "texts/s" in labels
    assert "accuracy" in labels


def test_rows_that_change_answers_are_crosses_and_off_the_line(opened, files) -> None:
    page = opened(files.one)
    changed = sum(mark.startswith("CHANGED") for mark in shown(page, "answers"))
    assert changed > 0
    plot = page.locator("svg.plot").first
    assert plot.locator("g[aria-label=dot]").nth(1).locator("path").count() == changed
    choice(page, "rows").select_option("on a Pareto line")
    assert {mark.partition(" (")[0] for mark in shown(page, "answers")} == {"same"}
    assert "INVALID" not in shown(page, "single")


def test_a_row_can_be_looked_into(opened, files) -> None:
    page = opened(files.one)
    board(page).locator("tbody button").nth(7).press("Enter")
    row = board(page).locator("tr[aria-selected=true]").inner_text().split("\t")
    chosen = choice(page, "row").locator("option:checked").inner_text()
    assert chosen == f"{row[0]}. {row[2]} · {row[3]}"
    counts = [int(text) for text in page.locator("table.matrix td").all_inner_texts()]
    assert sum(counts) == 400
    accuracy = sum(counts[at] for at in (0, 5, 10, 15)) / 400
    assert float(row[6].split()[0]) == pytest.approx(accuracy, abs=0.0006)


def test_hostile_texts_stay_texts(opened, files) -> None:
    page = opened(files.one)
    cells = page.get_by_role("region", name="Hardest texts").locator("td.wide")
    texts = cells.all_inner_texts()
    assert HOSTILE[0] in texts
    assert HOSTILE[2] in texts
    assert page.locator("main script, main img").count() == 0
    hebrew = cells.filter(has_text="שלום")
    assert hebrew.get_attribute("dir") == "auto"
    assert hebrew.evaluate("cell => getComputedStyle(cell).direction") == "rtl"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 1300])
def test_light_and_dark_wide_and_narrow(opened, files, scheme: str, width: int) -> None:
    for file in (files.one, files.several, files.study, files.published, files.server):
        page = opened(file, width=width, scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg.plot").first.bounding_box()["width"] <= width
        ground, ink = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
        )
        assert (sum(channels(ground)) < sum(channels(ink))) == (scheme == "dark")
        assert contrast(channels(ground), channels(ink)) > 7


def test_a_phone_shows_every_figure_and_every_line(opened, files) -> None:
    page = opened(files.one, width=390)
    ranking = page.locator(".ranking").first
    assert ranking.evaluate("node => node.scrollHeight <= node.clientHeight + 1")
    cells = page.locator("table.cards").first.locator("tbody tr:not([hidden]) td")
    places = cells.evaluate_all(
        "nodes => nodes.map(node => node.getBoundingClientRect()).map(box => [box.left, box.right])"
    )
    assert len(places) > 20
    assert all(left >= 0 and right <= 390 for left, right in places)
    assert cells.first.evaluate("node => getComputedStyle(node, '::before').content") != "none"


def channels(colour: str) -> list[int]:
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def contrast(first: list[int], second: list[int]) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(colour: list[int]) -> float:
        linear = [c / 12.92 if (c := part / 255) <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for part in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_latencies_curves_and_tables_are_there(opened, files) -> None:
    page = opened(files.one)
    strips = page.locator("svg[aria-label='latency distributions']")
    assert strips.locator("g[aria-label=dot] circle").count() == 20
    heading(page, "single").click()
    first = f"{shown(page, 'classifier')[0]} · {shown(page, 'engine')[0]}"
    assert first in strips.text_content()
    curves = page.locator("svg[aria-label='training curves']")
    assert curves.locator("g[aria-label=line] path").count() == 8
    choice(page, "measure").select_option("training loss")
    assert "training loss" in curves.text_content()
    choice(page, "table").select_option("Paired tests behind the ranks")
    assert page.get_by_role("region", name="Paired tests behind the ranks").locator("tbody tr").count() == 29


def test_several_tasks_and_rows_of_every_fate(opened, files) -> None:
    page = opened(files.several)
    assert page.locator("section[id^=task] h2").count() == 2
    page.get_by_role("navigation").get_by_role("link").nth(1).click()
    assert "#task-1" in page.url
    first = page.locator("#task-0").get_by_role("region", name="one a classifier").first.inner_text()
    for words in ("INVALID", "CHANGED", "SKIPPED", "OOM", "killed by the system", "bf16 needs avx512_bf16"):
        assert words in first
    assert "not comparable with any published figure" in page.locator("#task-1 h2").inner_text()
    assert page.get_by_text("text not kept in the run folder").count() > 0


def test_a_study_is_drawn_with_its_intervals(opened, files) -> None:
    page = opened(files.study)
    study = page.locator("svg[aria-label='How many training texts does it take?']")
    assert study.locator("g[aria-label=rule] line").count() == 3
    assert "training texts (log)" in study.text_content()


def test_a_study_stands_beside_what_was_published(opened, files) -> None:
    page = opened(files.published)
    first = page.locator("svg[aria-label='Accuracy on the first test texts']")
    assert first.locator("g[aria-label=line]").nth(0).locator("path").count() == 1
    assert first.locator("g[aria-label=line]").nth(1).locator("path").count() == 6
    names = page.get_by_text("published: Mistral-7B", exact=True)
    assert names.first.is_visible()
    first.scroll_into_view_if_needed()
    box = first.locator("g[aria-label=dot]").nth(1).locator("*").last.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(first.locator("g[aria-label=tip]")).to_contain_text("512 test texts")
    expect(first.locator("g[aria-label=tip]")).to_contain_text("published:")


def test_throughput_is_drawn_against_latency_with_the_limit(opened, files) -> None:
    page = opened(files.server)
    chart = page.locator("svg[aria-label='throughput and latency']")
    medians, limited = chart.locator("g[aria-label=line]").all()
    assert medians.locator("path").count() == limited.locator("path").count() == 3
    assert chart.locator("g[aria-label=rule] line").count() == 1
    assert "limit 100 ms" in chart.text_content()
    limit_y = chart.locator("g[aria-label=rule] line").bounding_box()["y"]
    rings = chart.locator("g[aria-label=dot]").nth(1).locator("*")
    assert rings.count() == 9, "three confirmations a row"
    assert all(ring.bounding_box()["y"] + 7 > limit_y for ring in rings.all())
    chart.scroll_into_view_if_needed()
    box = rings.nth(0).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tip = chart.locator("g[aria-label=tip]")
    expect(tip).to_contain_text("answers/s")
    expect(tip).to_contain_text("p99 80.0 ms")
    choice(page, "engine").select_option("sklearn")
    expect(chart.locator("g[aria-label=line]").first.locator("path")).to_have_count(1)


def test_without_a_server_run_there_is_no_such_chart(opened, files) -> None:
    assert opened(files.several).get_by_text("Throughput and latency under load").count() == 0
