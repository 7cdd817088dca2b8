"""The Dockerfile's rules that matter to whoever runs it: read from its text, which `hadolint` finds nothing in."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """Of the Dockerfile, each with its arguments, continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    """By name, the last one by none."""
    found: dict[str, list[tuple[str, str]]] = {}
    name = "before"
    for instruction, rest in instructions():
        if instruction == "FROM":
            name = rest.partition(" AS ")[2]
        found.setdefault(name, []).append((instruction, rest))
    return found


def test_image_starts_hvdbench_as_nobody_special() -> None:
    said = dict(stages()[""])
    assert (said["ENTRYPOINT"], said["USER"], said["WORKDIR"]) == ('["hvdbench"]', "1000", "/work")
    assert "HOME=/tmp" in said["ENV"]  # the root file system may be read-only
    assert "{ ! getent passwd ubuntu || userdel --remove ubuntu; } && useradd --uid 1000" in said["RUN"]


def test_image_has_neither_compilers_nor_keys() -> None:
    installed = dict(stages()[""])["RUN"]
    assert "g++" not in installed
    assert "rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*" in installed


def test_base_index_and_horovods_build_are_arguments() -> None:
    assert ("ARG", "BASE=debian:bookworm-slim") in stages()["before"]
    arguments = [rest.partition("=")[0] for name, rest in stages()["build"] if name == "ARG"]
    assert arguments == ["TORCH_INDEX", "HOROVOD_GPU_OPERATIONS"]


def test_set_up_takes_the_cached_wheel() -> None:
    assert ("FROM", "scratch AS wheels") in stages()["wheels"]
    (run,) = (rest for name, rest in stages()["build"] if name == "RUN")
    assert run.startswith("--mount=type=cache,target=/root/.cache/hvdbench,from=wheels ")


def test_all_that_set_up_needs_is_sent_to_the_build_and_no_more() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"harness", "suites", "pyproject.toml", "README.md", "LICENSE"} <= sent
    assert all((ROOT / name).exists() for name in sent)
    assert not {".git", ".venv", "results", "reports", "tests"} & sent


def test_devcontainer_is_made_of_the_build_tools() -> None:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    said = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
    assert said["build"]["target"] in stages()
    assert (ROOT / ".devcontainer" / said["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert said["postCreateCommand"] == "make setup"
