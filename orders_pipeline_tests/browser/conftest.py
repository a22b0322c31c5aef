"""One `make dev` with its sample orders, and one Chromium, for all tests of the UI."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orders_pipeline_tests.support.dagster_dev import DagsterDev, dagster_dev

PICTURES = os.environ.get("ORDERS_PICTURES")  # the folder in which `make pictures` wants them; read before any test
_SECONDS = 30

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: `make browser` installs it")


@pytest.fixture(scope="session")
def dev() -> Iterator[DagsterDev]:
    """The sample orders in every table, sensors and schedule on."""
    with dagster_dev("orders-pipeline", "dev") as started:
        started.wait_for("the webserver answers", started.answers)
        started.wait_for("the sample is in every table", lambda: _is_done(started), seconds=300)
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator["sync_api.Browser"]:
    """The system's Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.fail("There is no chromium: `apt-get install chromium`.")
    flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium has none for root
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: "sync_api.Browser", dev: DagsterDev) -> Iterator["sync_api.Page"]:
    """A fresh window, in which addresses are those of the UI; an error of its scripts fails the test."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, base_url=dev.url)
    context.set_default_timeout(_SECONDS * 1000)
    sync_api.expect.set_options(timeout=_SECONDS * 1000)
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert [error for error in errors if error != "Failed to fetch"] == []  # a page that is left asks no more


@pytest.fixture
def picture(page: "sync_api.Page") -> Callable[[str, int], None]:
    """Keep what is to be seen now, beside the navigation and down to a height, as a picture for the docs, if they are
    wanted."""

    def take(name: str, height: int) -> None:
        if PICTURES:
            page.mouse.move(0, 0)
            page.wait_for_timeout(1_000)  # tooltips and toasts go
            seen = {"x": 240, "y": 0, "width": 1160, "height": height}
            page.screenshot(path=Path(PICTURES) / f"{name}.png", clip=seen)

    return take


def _is_done(dev: DagsterDev) -> bool:
    status = dev.status()
    return bool(status["files"]["loaded"]) and not any(status["stale_days"].values()) and _is_idle(dev)


def _is_idle(dev: DagsterDev) -> bool:
    return all(status in ("SUCCESS", "FAILURE", "CANCELED") for _, status in dev.runs())
