"""Makes the pages in docs/reports/ by real runs, and the pictures of them in docs/images/.

    pip install playwright && python evaluation/screenshots.py [--work FOLDER] [--page example]

Needs Chromium (`apt install chromium`) and valgrind, and takes some minutes: the example runs under
valgrind, and numpy's tests of linear algebra with the native engine.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from environments import (
    REPOSITORY,
    Environment,
    build_plugin,
    make_environment,
    run_suite_natively,
    say,
)

PAGES = REPOSITORY / "docs" / "reports"
PICTURES = REPOSITORY / "docs" / "images"
EXAMPLE, NUMPY = "example-valgrind.html", "numpy-linalg.html"
#: After this many seconds, a run has gone wrong.
PATIENCE = 3600
#: Without them, Chromium asks for its maker's hosts.
CHROMIUM_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def main() -> int:
    """Make all of them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("/tmp/screenshots"))
    parser.add_argument(
        "--page", choices=["both", "example", "numpy", "none"], default="both", help="to make anew"
    )
    options = parser.parse_args()
    for folder in (options.work, PAGES, PICTURES):
        folder.mkdir(parents=True, exist_ok=True)
    if options.page != "none":
        make_pages(options.work.resolve(), options.page)
    draw(shutil.which("chromium") or "chromium")
    return 0


def make_pages(work: Path, which: str) -> None:
    """Run the tests that the pages are about."""
    environment = make_environment(work / "environment", sys.executable)
    wheel = build_plugin(environment, work)
    environment.install(f"pytest-valgrind[report] @ {wheel.as_uri()}", "hypothesis", "numpy<2.4")
    if which != "numpy":
        # The copy that the wheel was built from: reports show the files of C that are there.
        project = work / "pytest-valgrind"
        shutil.rmtree(project, ignore_errors=True)
        (work / "plugin").rename(project)
        words = ("--valgrind", "-p", "no:hypothesispytest", f"--memory-earlier={EXAMPLE}")
        run(environment, project / "example", EXAMPLE, *words, "-k", "not and_leak")
        run(environment, project / "example", EXAMPLE, *words, "--memory-pinpoint")
    if which != "example":
        linalg = work / "numpy"
        linalg.mkdir(exist_ok=True)
        run(environment, linalg, NUMPY, "--heapcheck", "--pyargs", "numpy.linalg")


def run(environment: Environment, directory: Path, name: str, *words: str) -> None:
    """Run tests, and keep the page about them."""
    say(f"{name}: {' '.join(words)}")
    words = (*words, f"--memory-report={name}")
    run_suite_natively(environment, directory, words, seconds=PATIENCE)
    shutil.copy(directory / name, PAGES / name)


def draw(chromium: str) -> None:
    """Have Chromium draw what the documentation shows."""
    # Here, as the pages are made without it.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_OPTIONS))

        def opened(name: str, theme: str, width: int, height: int) -> Any:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.goto((PAGES / name).as_uri())
            page.wait_for_selector("html[data-ready]")
            return page

        page = opened(NUMPY, "light", 1120, 940)
        hover(page, 0.62)
        save(page, "report-memory.png")

        page = opened(EXAMPLE, "dark", 1120, 1000)
        page.click("[data-jump=findings]")
        save(page, "report-findings-dark.png")

        page = opened(EXAMPLE, "light", 1120, 640)
        page.click("[data-jump=trend]")
        save(page, "report-trend.png")

        page = opened(EXAMPLE, "light", 360, 780)
        page.evaluate("scrollTo(0, document.querySelector('.defect').offsetTop - 8)")
        save(page, "report-phone.png")
        browser.close()


def hover(page: Any, part: float) -> None:
    """Put the mouse upon the chart, at a part of its width."""
    box = page.locator("#memory-chart .u-over").first.bounding_box()
    page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)


def save(page: Any, name: str) -> None:
    """Save what is seen of a page."""
    page.wait_for_timeout(2500)  # it scrolls, and what it came to shines for a while
    page.screenshot(path=PICTURES / name)
    say(f"{name}: {(PICTURES / name).stat().st_size:,} bytes")
    page.close()


if __name__ == "__main__":
    sys.exit(main())
