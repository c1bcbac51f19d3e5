"""What the README and the guides show works as shown: policies load and pass their tests, commands and files exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from guardrail.cli import main
from guardrail.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = (
    "README.md",
    "policies/README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "benchmarks/README.md",
    "docs/benchmarks.md",
    "docs/credentials.md",
    "docs/in-generation-mark.md",
    "docs/marks-benchmark.md",
    "docs/metadata.md",
    "docs/other-marks.md",
    "docs/peers.md",
    "docs/verify.md",
    "docs/visible-labels.md",
    "docs/watermark.md",
)


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S)


@pytest.mark.parametrize("page", ["README.md", "policies/README.md"])
@pytest.mark.parametrize("verb", ["lint", "test"])
def test_policies_in_the_pages_load_and_pass_their_own_tests(
    page: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shown,) = blocks(page, "yaml")
    path = tmp_path / "shown.yaml"
    path.write_text(shown, "utf-8")
    with pytest.raises(SystemExit) as end:
        main(["policy", verb, str(path)])
    assert end.value.code == 0, capsys.readouterr().out


@pytest.mark.usefixtures("embedded_models", "nudenet")
def test_the_wrap_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoPipelineForText2Image

    from guardrail import verify
    from guardrail.demo.tiny import tiny_stable_diffusion

    def small(*_: Any, **__: Any) -> Any:
        pipe = tiny_stable_diffusion()
        pipe.unet.config.sample_size = 16  # 128 pixels instead of 64: the default policy wants a mark
        pipe.set_progress_bar_config(disable=True)
        return pipe

    monkeypatch.setattr(AutoPipelineForText2Image, "from_pretrained", small)
    monkeypatch.chdir(tmp_path)
    example, bare = blocks("README.md", "python")
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    out = names["out"]
    assert [d.action.value for d in out.guardrail] == ["allow", "block"]
    assert verify(tmp_path / "castle.png").mark_id == out.guardrail[0].mark_id != ""
    assert out.guardrail[1].id in out.guardrail[1].message("ko")

    (tmp_path / "protected-names.txt").write_text("Ines Vandermolen-Achterberg\n", "utf-8")
    from PIL import Image

    Image.new("RGB", (64, 64), "white").save(tmp_path / "photo.jpg")
    exec(compile(bare, "README.md", "exec"), names)
    names["guard"].close()


@pytest.mark.parametrize("page", PAGES)
def test_links_between_the_pages_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8"))
    missing = [link for link in links if "://" not in link and not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_pages_exist(page: str) -> None:
    """`guardrail VERB [SUBVERB]` in code spans and blocks names verbs of the command line."""
    text = (ROOT / page).read_text("utf-8")
    code = re.findall(r"`+([^`]+)`+", text)
    shown = [m for part in code for m in re.findall(r"(?:^|[\s/])guardrail ([a-z]+)(?: ([a-z]+))?", part)]
    root: Any = typer.main.get_command(app)
    for verb, sub in shown:
        command = root.commands.get(verb)
        assert command is not None, f"{page}: guardrail {verb}"
        if hasattr(command, "commands"):
            assert not sub or sub in command.commands, f"{page}: guardrail {verb} {sub}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_in_the_pages_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    shown = set(re.findall(r"\bmake ([a-z]+)", (ROOT / page).read_text("utf-8")))
    assert shown
    assert shown <= targets


def test_no_placeholder_is_left_in_the_readme() -> None:
    assert re.findall(r"@[A-Z_]+@", (ROOT / "README.md").read_text("utf-8")) == []
