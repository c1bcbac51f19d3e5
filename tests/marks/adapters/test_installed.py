"""Finding watermarks: shipped ones and plugins; a broken plugin is an error with its name."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail.errors import PluginError
from guardrail.marks.adapters import marks_installed

Install = Callable[..., None]

MARK = """
    class Mine:
        name, version, payload_bits = "mine", 1, 8
        def embed(self, image, payload): return image
        def detect(self, image): return None
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package with one entry point, as far as importlib.metadata can tell."""

    def install(code: str, name: str = "mine", target: str = "own_marks:Mine") -> None:
        (tmp_path / "own_marks.py").write_text(textwrap.dedent(code), "utf-8")
        info = tmp_path / "own_marks-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-marks\nVersion: 2.1\n", "utf-8")
        (info / "entry_points.txt").write_text(f"[guardrail.marks]\n{name} = {target}\n", "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "own_marks", raising=False)

    return install


def test_the_shipped_ones() -> None:
    assert list(marks_installed()) == ["tileline", "trustmark", "videoseal", "wam"]


def test_a_plugin_is_found(plugin: Install) -> None:
    plugin(MARK)
    assert marks_installed()["mine"]().payload_bits == 8


@pytest.mark.parametrize(
    ("code", "name", "target", "said"),
    [
        ("raise RuntimeError('no')", "mine", "own_marks:Mine", "does not load: RuntimeError: no"),
        ("", "mine", "own_marks:Mine", "does not load: AttributeError"),
        ("class Mine: name = 'mine'", "mine", "own_marks:Mine", "has no version, payload_bits, embed, detect"),
        ("Mine = 3", "mine", "own_marks:Mine", "cannot be called"),
        (MARK, "tileline", "own_marks:Mine", "'tileline' is there already"),
    ],
)
def test_a_broken_plugin_is_an_error_with_its_name(
    plugin: Install, code: str, name: str, target: str, said: str
) -> None:
    plugin(code, name, target)
    with pytest.raises(PluginError, match=r"the plugin own-marks 2\.1: .*") as caught:
        marks_installed()
    assert said in str(caught.value)
