"""The report in a browser: nothing overlaps or sticks out, nothing is fetched, tables sort, and it prints.

Chromium is taken from the machine; without it these are skipped.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from guardrail.bench.drawing import drawn
from guardrail.bench.page import page
from tests.bench.made_run import made

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed: apt-get install chromium"),
]

# What is looked at, by a script in a copy of the page that has no policy against scripts.
LOOK = """
const out = {folded: !document.querySelector(".facts").open,
             wide: document.documentElement.scrollWidth, window: document.documentElement.clientWidth,
             outside: [], overlaps: [], colour: getComputedStyle(document.body).backgroundColor};
for (const plot of document.querySelectorAll("svg.plot")) {
  const frame = plot.getBoundingClientRect(), texts = [...plot.querySelectorAll("text")];
  const boxes = texts.map(t => t.getBoundingClientRect());
  boxes.forEach((a, i) => {
    if (a.left < frame.left - 1 || a.right > frame.right + 1 || a.top < frame.top - 1 || a.bottom > frame.bottom + 1)
      out.outside.push(texts[i].textContent);
    boxes.slice(0, i).forEach((b, j) => {
      const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Boxes hold the space above and below letters too: those of two lines of one label touch.
      if (x > 1 && y > 0.45 * Math.min(a.height, b.height))
        out.overlaps.push([texts[j].textContent, texts[i].textContent]);
    });
  });
}
const table = document.querySelector("#table-1 table"), head = table.tHead.rows[0].cells[2];
const column = () => [...table.tBodies[0].rows].map(r => r.cells[2].textContent);
out.orders = [column()]; out.sorts = [];
for (let i = 0; i < 3; i++) {
  const key = new KeyboardEvent("keydown", {key: i % 2 ? " " : "Enter", bubbles: true, cancelable: true});
  head.querySelector("[role=button]").dispatchEvent(key);
  out.orders.push(column()); out.sorts.push(head.getAttribute("aria-sort"));
}
const told = document.createElement("pre"); told.id = "looked"; told.textContent = JSON.stringify(out);
document.body.append(told);
"""


@pytest.fixture(scope="module")
def report() -> str:
    run = made(texts=True)
    return page(run, drawn(run.figures))


def chromium(*options: str, profile: Path) -> str:
    done = subprocess.run(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
            "--disable-domain-reliability", f"--user-data-dir={profile}", *options,
        ],
        capture_output=True, text=True, check=True, timeout=240, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return done.stdout


def looked(report: str, folder: Path, width: int, *options: str) -> dict[str, Any]:
    """The page in a frame of a width: a window of its own may not be as narrow as a telephone."""
    open_page = re.sub(r"<meta http-equiv[^>]*>", "", report).replace("</body>", f"<script>{LOOK}</script></body>")
    assert open_page.count("<script>") == 2
    (folder / "inside.html").write_text(open_page, "utf-8")
    (folder / "frame.html").write_text(
        f"<iframe src='inside.html' style='width:{width}px;height:900px;border:0'></iframe><script>"
        "onload = () => document.body.append(document.querySelector('iframe').contentDocument.querySelector('#looked'))"
        "</script>",
        "utf-8",
    )
    dom = chromium(
        "--allow-file-access-from-files", *options, "--dump-dom", f"file://{folder}/frame.html", profile=folder / "p"
    )
    found = re.search(r'<pre id="looked">(.*?)</pre>', dom, re.S)
    assert found, dom[:400]
    told: dict[str, Any] = json.loads(unescape(found[1]))
    return told


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overlaps_or_sticks_out_and_tables_sort(report: str, tmp_path: Path, width: int) -> None:
    told = looked(report, tmp_path, width)
    assert told["window"] == width
    assert told["wide"] <= width
    assert told["folded"]
    assert told["outside"] == []
    assert told["overlaps"] == []
    first, up, down, again = told["orders"]
    numbers = [float(cell.split()[0]) for cell in first]
    assert [float(c.split()[0]) for c in up] == sorted(numbers) != numbers
    assert [float(c.split()[0]) for c in down] == sorted(numbers, reverse=True)
    assert again == first
    assert told["sorts"] == ["ascending", "descending", None]


def test_dark_and_light_differ(report: str, tmp_path: Path) -> None:
    colours = {
        s: looked(report, tmp_path, 1280, f"--blink-settings=preferredColorScheme={s}")["colour"] for s in (0, 1)
    }
    assert colours == {0: "rgb(23, 24, 27)", 1: "rgb(255, 255, 255)"}


_BROWSERS_OWN = re.compile(rb"^[A-Z]+ (https?://)?([\w-]+\.)*(google|googleapis|gstatic)\.com[:/ ]")


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that refuses everything and remembers what it was asked for."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(5)
                    asked.append(connection.recv(4096).split(b"\r\n")[0])
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], asked
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)


@pytest.mark.parametrize(("tag", "requests"), [("", 0), ("<img src=http://guardrail.invalid/a.png>", 1)])
def test_no_request_leaves(report: str, tmp_path: Path, tag: str, requests: int) -> None:
    """The second case shows that a request would be seen: the same page without its policy, with a picture."""
    if tag:
        report = re.sub(r"<meta http-equiv[^>]*>", "", report).replace("</main>", f"{tag}</main>")
    (tmp_path / "report.html").write_text(report, "utf-8")
    with listening() as (port, asked):
        shown = tmp_path / "shot.png"
        chromium(
            f"--proxy-server=http://127.0.0.1:{port}", "--proxy-bypass-list=<-loopback>", f"--screenshot={shown}",
            "--window-size=1280,900", f"file://{tmp_path}/report.html", profile=tmp_path / "p",
        )  # fmt: skip
        assert shown.stat().st_size > 10_000
        assert "google" not in report  # what asks there is the browser itself
        ours = [line for line in asked if not _BROWSERS_OWN.search(line)]
        assert len(ours) >= requests
        assert requests or ours == []


def test_it_prints(report: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(report, "utf-8")
    out = tmp_path / "report.pdf"
    chromium(
        "--no-pdf-header-footer", f"--print-to-pdf={out}", f"file://{tmp_path}/report.html", profile=tmp_path / "p"
    )
    content = out.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) in range(5, 16)


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="pdftotext is not installed: apt-get install poppler-utils")
def test_a_table_over_two_printed_pages_has_its_head_on_both(report: str, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(report, "utf-8")
    out = tmp_path / "report.pdf"
    chromium(
        "--no-pdf-header-footer", f"--print-to-pdf={out}", f"file://{tmp_path}/report.html", profile=tmp_path / "p"
    )
    told = subprocess.run(["pdftotext", "-layout", str(out), "-"], capture_output=True, text=True, check=True).stdout
    assert len(re.findall(r"^\s*part +n +blocked, % \(95 %\)", told, re.M)) == 2
