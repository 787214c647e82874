"""A real browser for pages that are to work from a file, without a network and without a word in the console.

Tests ask for `page` and open what they want to look at:

    def test_it(page):
        page.open("<h1>hello</h1>")          # or the path of a file
        assert page.text("h1") == "hello"

Debian: `apt-get install chromium chromium-driver`, and `pip install "tinygrad_edu[browser]"`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new",
    "--disable-gpu",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",  # nothing moves, so that nothing has to be waited for
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no page reaches a network
    "--disable-background-networking",
    "--window-size=1280,900",
)


class Page:
    """A page in the browser, with short words for what tests do."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        self.count = 0

    def open(self, what: str | Path, step: int | None = None, dark: bool = False) -> Page:
        """Open a file, or a text of HTML as a file."""
        if not isinstance(what, Path):
            self.count += 1
            path = self.folder / f"page{self.count}.html"
            path.write_text(what, encoding="utf-8")
            what = path
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get("about:blank")  # an address that differs in its last part alone would not load again
        self.driver.get(what.resolve().as_uri() + ("" if step is None else f"#{step}"))
        return self

    def run(self, script: str, *args: Any) -> Any:
        """What the body of a function in the page returns."""
        return self.driver.execute_script(script, *args)

    def all(self, selector: str) -> list[Any]:
        """The elements of a CSS selector."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        """The only element of a CSS selector."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector!r}"
        return found[0]

    def text(self, selector: str) -> str:
        """The text of an element, as it stands in the page."""
        return self.one(selector).get_property("textContent").strip()

    def click(self, selector: str) -> None:
        """A click in the middle of an element, as a hand would do it."""
        self.one(selector).click()

    def press(self, key: str) -> None:
        """A key, by the name that the page gets: "ArrowRight", "Home", " "."""
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        named = {"ArrowRight": Keys.ARROW_RIGHT, "ArrowLeft": Keys.ARROW_LEFT, "Home": Keys.HOME, "End": Keys.END}
        ActionChains(self.driver).send_keys(named.get(key, key)).perform()

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until an expression of JavaScript is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, poll_frequency=0.05).until(
            lambda d: d.execute_script(f"return {condition}")
        )

    def complaints(self) -> list[str]:
        """What the console says since it was last asked."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def fetched(self) -> list[str]:
        """What the page has loaded beside itself."""
        return self.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests of a process."""
    webdriver = pytest.importorskip("selenium.webdriver", reason='needs pip install "tinygrad_edu[browser]"')
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    profile = tmp_path_factory.mktemp("chromium")
    for flag in (*FLAGS, f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else [])):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture
def page(chromium: Any, tmp_path: Path) -> Iterator[Page]:
    """A page; what it says in the console, or loads, fails the test."""
    chromium.switch_to.default_content()
    chromium.get("about:blank")
    opened = Page(chromium, tmp_path)
    opened.complaints()
    yield opened
    chromium.switch_to.default_content()
    assert opened.fetched() == []
    assert opened.complaints() == []
