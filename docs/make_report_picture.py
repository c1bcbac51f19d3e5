"""The picture of the demo's report in the README, with drawn stand-ins for the photographs.

    python docs/make_report_picture.py [--out docs/pictures/report.png] [--chromium /usr/bin/chromium]

Runs the whole demo as `guardrail demo` does, keeps some of its cases, and puts a drawing where the report shows a
photograph: no photograph of anybody enters the repository. Decisions, rules and figures are those of the run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

from guardrail.actions.redact import cover
from guardrail.demo.pictures import drawn_face
from guardrail.demo.report import write_report
from guardrail.demo.run import CaseResult, DemoRun, run_demo

KEPT = (
    "nudity, plainly, in Korean",
    "a private person by relation",
    "a portrait without consent: the face is covered",
    "the same portrait with enrolled consent",
    "disguised with look-alike letters",
    "four prompts at once, one of them blocked: the others are untouched",
)
# Where `drawn_face` has its face, in pixels of a 512 px drawing.
FACE = (150.0, 120.0, 215.0, 290.0)
WIDTH = 1120


def stand_in(result: CaseResult) -> None:
    """Drawings in the place of the reference picture and of what the pipeline got."""
    if result.before is None:
        return
    import numpy as np

    covered = result.after is not result.before
    drawing = drawn_face()
    result.before = result.after = drawing
    if covered:
        result.after = Image.fromarray(cover(np.asarray(drawing), [FACE], "blur", 0))
    # What a pipeline with random weights makes of a photograph still has its outlines.
    result.outputs = [Image.new("RGB", image.size, (127, 127, 127)) for image in result.outputs]
    result.verified = [f"{says} (not shown here)" for says in result.verified]


def screenshot(page: Path, out: Path, chromium: str) -> None:
    """The page as a picture, cut to what is on it."""
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"]
        flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        flags += [f"--user-data-dir={profile}", f"--window-size={WIDTH},3000", f"--screenshot={out}"]
        subprocess.run([chromium, *flags, page.as_uri()], check=True, capture_output=True, timeout=120)
    with Image.open(out) as picture:
        shot = picture.convert("RGB")
    box = ImageChops.difference(shot, Image.new("RGB", shot.size, shot.getpixel((0, 0)))).getbbox()
    assert box is not None, "the page is empty"
    cut = shot.crop((0, 0, WIDTH, min(shot.height, box[3] + 24)))
    cut.quantize(255, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pictures" / "report.png")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        run = run_demo(Path(scratch), progress=lambda title: print(title, file=sys.stderr))
        if not run.ok:
            sys.exit("the demo did not go as expected; no picture was made")
        kept = [r for r in run.results if r.case.title in KEPT]
        assert len(kept) == len(KEPT), "a case has another title now"
        for result in kept:
            stand_in(result)
        page = Path(scratch) / "report.html"
        write_report(DemoRun(kept, run.model, run.trained, run.effective, run.policy), page)
        given.out.parent.mkdir(parents=True, exist_ok=True)
        screenshot(page, given.out.resolve(), given.chromium)


if __name__ == "__main__":
    main()
