"""The composite action: what can be told of it without GitHub."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def test_action_hands_every_input_on_as_a_variable_and_runs_no_text_of_it() -> None:
    steps = ACTION["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert not any("${{" in script for script in scripts)
    handed_on = {value for step in steps for value in step.get("env", {}).values()}
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= handed_on


def test_action_calls_the_command_with_options_that_it_has() -> None:
    [script] = [step["run"] for step in ACTION["runs"]["steps"] if step.get("id") == "check"]
    from typer.main import get_command

    from harness.cli import app

    known = {option for parameter in get_command(app).commands["check"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {word for word in script.split() if word.startswith("--")} <= known


def test_cached_wheel_is_of_one_python_and_one_build_of_torch(tmp_path: Path) -> None:
    keys = [_key(tmp_path / str(number), index) for number, index in enumerate(("cpu", "cpu", "cu130"))]
    assert keys[0] == keys[1] != keys[2]
    this = ".".join(map(str, sys.version_info[:2]))
    assert re.fullmatch(rf"key={re.escape(this)}-[0-9a-f]{{16}}\n", keys[0])


def _key(output: Path, torch_index: str) -> str:
    [script] = [step["run"] for step in ACTION["runs"]["steps"] if step.get("id") == "wheel"]
    given = {"PYTHON": sys.executable, "TORCH_INDEX": torch_index, "GITHUB_ACTION_PATH": str(ROOT)}
    environ = {**os.environ, **given, "GITHUB_OUTPUT": str(output)}
    subprocess.run(["bash", "-e", "-c", script], env=environ, check=True)
    return output.read_text()


def test_gitlab_snippet_is_yaml() -> None:
    text = (ROOT / "harness" / "check" / "README.md").read_text()
    snippet = text.rpartition("GitLab:\n\n```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(snippet)["training-speed"]["allow_failure"] == {"exit_codes": [3]}
