"""The composite action: what can be told of it without GitHub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())


def test_action_hands_every_input_on_as_a_variable_and_runs_no_text_of_it() -> None:
    steps = ACTION["runs"]["steps"]
    scripts = [step["run"] for step in steps if "run" in step]
    assert not any("${{" in script for script in scripts)
    [variables] = [step["env"] for step in steps if "env" in step]
    handed_on = set(variables.values())
    assert {f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]} <= handed_on


def test_action_calls_the_command_with_options_that_it_has() -> None:
    [script] = [step["run"] for step in ACTION["runs"]["steps"] if step.get("id") == "check"]
    from typer.main import get_command

    from harness.cli import app

    known = {option for parameter in get_command(app).commands["check"].params for option in parameter.opts}  # type: ignore[attr-defined]
    assert {word for word in script.split() if word.startswith("--")} <= known


def test_gitlab_snippet_is_yaml() -> None:
    text = (ROOT / "harness" / "check" / "README.md").read_text()
    snippet = text.rpartition("GitLab:\n\n```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(snippet)["training-speed"]["allow_failure"] == {"exit_codes": [3]}
