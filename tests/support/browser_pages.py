"""Opens pages in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bench.results.records import Evidence

NOTHING = Evidence(texts=lambda _: {}, latencies_ns=lambda _: np.empty(0, dtype=np.int64))
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        advice = "the page is tested in Chromium: apt-get install chromium, or set CHROMIUM to its path"
        if os.environ.get("BENCH_NEEDS_CHROMIUM"):
            pytest.fail(advice)
        pytest.skip(advice)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Browser) -> Iterator[object]:
    """Open a page; at the end it must have said nothing to the console and asked nobody for anything."""
    said: list[str] = []
    asked: list[str] = []
    contexts = []

    def open_page(file: Path, width: int = 1300, height: int = 900, scheme: str = "light") -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_function("document.documentElement.dataset.ready")
        page.wait_for_selector("svg.plot")
        return page

    yield open_page
    pages = [page for context in contexts for page in context.pages]
    assert not any(page.evaluate("window.hacked") for page in pages)
    for context in contexts:
        context.close()
    assert said == []
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in asked) == len(pages)
