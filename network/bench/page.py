"""How fast and how heavy a page is: Chromium on a processor slowed down four times, empty cache.

    python -m network.bench.page http://127.0.0.1:8080/login/TOKEN http://127.0.0.1:8080/

The first address is opened to sign in (leave it out for a visitor), the second is measured. Needs
Playwright and Debian's Chromium; `gridledger bench gateway` uses `measured_page` on the home page.
"""

import argparse
import os
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CPU_SLOWED = 4
RUNS = 5
PHONE_PX = {"width": 360, "height": 800}
FIRST_CONTENTFUL_PAINT_MS_MAX = 1_000
WEIGHT_BYTES_MAX = 150_000
PAINT_TIMEOUT_MS = 30_000
PAINT_SCRIPT = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  for (const entry of list.getEntriesByName("first-contentful-paint")) resolve(entry.startTime);
}).observe({ type: "paint", buffered: true }))"""


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Medians over the runs; bytes are what came over the wire, heads included."""

    first_contentful_paint_ms: float
    weight_bytes: int
    requests: int

    @property
    def is_good(self) -> bool:
        """Whether both goals are met."""
        return (
            self.first_contentful_paint_ms < FIRST_CONTENTFUL_PAINT_MS_MAX
            and self.weight_bytes < WEIGHT_BYTES_MAX
        )


def measured_page(address: str, *, sign_in: str = "", runs: int = RUNS) -> PageFigures:
    """Open a page so many times with an empty cache. `RuntimeError` without a browser."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise RuntimeError("chromium is missing: apt install chromium")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        first = browser.new_context(viewport=PHONE_PX)  # type: ignore[arg-type]
        if sign_in:
            first.new_page().goto(sign_in)
        state = first.storage_state()
        first.close()
        found = [_one_run(browser, address, state) for _ in range(runs)]
        browser.close()
    return PageFigures(
        first_contentful_paint_ms=statistics.median(paint for paint, _ in found),
        weight_bytes=int(statistics.median(sum(sizes) for _, sizes in found)),
        requests=len(found[-1][1]),
    )


def _one_run(browser: Any, address: str, state: Any) -> tuple[float, list[int]]:
    """(first contentful paint in ms, bytes of each response)."""
    # A service worker would fetch the shell a second time, behind the page.
    context = browser.new_context(viewport=PHONE_PX, storage_state=state, service_workers="block")
    page = context.new_page()
    session = context.new_cdp_session(page)
    sizes: list[int] = []
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    session.send("Emulation.setCPUThrottlingRate", {"rate": CPU_SLOWED})
    page.goto(address, wait_until="load", timeout=PAINT_TIMEOUT_MS)
    paint = float(page.evaluate(PAINT_SCRIPT))
    context.close()
    return paint, sizes


def main(arguments: Sequence[str]) -> int:
    """Print the figures; 1 if a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m network.bench.page", description="First paint and weight of a page."
    )
    parser.add_argument("addresses", nargs="+", metavar="ADDRESS", help="[sign-in] page")
    *sign_in, address = parser.parse_args(arguments).addresses
    found = measured_page(address, sign_in=sign_in[0] if sign_in else "")
    print(
        f"first contentful paint {found.first_contentful_paint_ms:.0f} ms "
        f"(CPU slowed {CPU_SLOWED}x, goal under {FIRST_CONTENTFUL_PAINT_MS_MAX} ms)"
    )
    print(
        f"page weight {found.weight_bytes / 1000:.1f} kB in {found.requests} responses "
        f"(goal under {WEIGHT_BYTES_MAX / 1000:.0f} kB)"
    )
    return 0 if found.is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
