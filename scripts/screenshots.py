"""Make the pictures of docs/viewer.md: each page of the viewer over the made-up shop of its tests, in Chromium."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.viewer.backend import running, shop_telemetry  # noqa: E402 - found by the line above
from tests.viewer.conftest import CHROMIUM, settled  # noqa: E402 - the same

FOLDER = ROOT / "docs/viewer"
WIDTH, HEIGHT = 1240, 760
PHONE_WIDTH = 390
GROUNDS, OTHERS = 64, 192
"""Colours of a picture's palette: the most frequent ones exactly, and such that come near every other one."""


def palette_of(picture: Image.Image) -> Image.Image:
    """Return a palette in which flat surfaces keep their colours, and so do dots that are small."""
    counted = sorted(picture.getcolors(picture.width * picture.height) or (), reverse=True)
    grounds = [part for _, color in counted[:GROUNDS] if isinstance(color, tuple) for part in color]
    near = picture.quantize(OTHERS, method=Image.Quantize.MAXCOVERAGE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette((grounds + near)[: 3 * (GROUNDS + OTHERS)])
    return palette


def pictures() -> dict[str, tuple[str, str]]:
    """Name, colours and path of each picture."""
    failed = next(trace for trace in TELEMETRY.traces if trace.errors)
    charge = next(span for span in failed.spans if span.events)
    checkouts = [trace for trace in TELEMETRY.traces if trace.spans[0].name == "POST /checkout" and not trace.errors]
    slow, usual = max(checkouts, key=lambda trace: trace.duration), checkouts[-1]
    span = f"/trace/{failed.trace_id}?span={charge.span_id}&critical=1"
    return {
        "traces": ("light", "/"),
        "traces-dark": ("dark", "/"),
        "traces-phone": ("light", "/"),
        "trace": ("light", span),
        "trace-dark": ("dark", span),
        "flame": ("light", f"/trace/{slow.trace_id}?view=flame"),
        "compare": ("light", f"/compare?a={usual.trace_id}&b={slow.trace_id}"),
        "logs": ("dark", "/logs"),
        "heatmap": ("light", "/metrics?name=http.server.request.duration"),
        "metrics": ("dark", "/metrics?name=shop.orders&group_by=http.route"),
        "services": ("light", "/services"),
        "start": ("light", "/start"),
    }


TELEMETRY = shop_telemetry()


def main() -> None:
    """Write them."""
    FOLDER.mkdir(exist_ok=True)
    with running() as server, sync_playwright() as playwright:
        server.serve_now(TELEMETRY)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, reduced_motion="reduce")
        page = context.new_page()
        for name, (colors, path) in pictures().items():
            width = PHONE_WIDTH if name.endswith("-phone") else WIDTH
            page.set_viewport_size({"width": width, "height": HEIGHT})
            page.emulate_media(color_scheme="dark" if colors == "dark" else "light")
            page.goto(server.url + path)
            settled(page)
            shown = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            picture = shown.quantize(palette=palette_of(shown), dither=Image.Dither.NONE)
            picture.save(FOLDER / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
