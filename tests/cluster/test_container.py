"""What can be told of the container from its text alone: the Dockerfile, what is sent to its build, the devcontainer.

`hadolint` finds nothing in the Dockerfile.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from harness.bootstrap.horovod_options import OPTIONS
from harness.bootstrap.horovod_wheel import cache_dir
from tests.cluster.kubernetes_schema import Kind, faults

ROOT = Path(__file__).parents[2]
CACHE = str(cache_dir({"XDG_CACHE_HOME": "/root/.cache"}))  # root's, as images and devcontainers have it
# Of devContainer.base.schema.json (containers.dev) the fields that are used here.
DEVCONTAINER: Kind = {
    "name": str,
    "build!": {"dockerfile!": str, "context": str, "target": str, "args": {"*": str}},
    "runArgs": [str],
    "containerEnv": {"*": str},
    "mounts": [str],
    "postCreateCommand": str,
}


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


def is_sent(path: str) -> bool:
    """To the build, by .dockerignore: of its lines the last that fits the path or a folder above it decides."""
    places = [path, *map(str, list(PurePosixPath(path).parents)[:-1])]
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = re.escape(line.removeprefix("!")).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
        if not line.startswith("#") and any(re.fullmatch(pattern, place) for place in places):
            sent = line.startswith("!")
    return sent


def needed_by_set_up() -> Iterator[str]:
    """Files of the checkout: the package, the suites in it, and what pyproject.toml and MANIFEST.in name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    yield from ("pyproject.toml", "MANIFEST.in", project["readme"], *project["license-files"])
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():
        yield from line.split()[1:] if line.startswith("include ") else ()
    paths = [path for folder in ("harness", "suites") for path in (ROOT / folder).rglob("*")]
    yield from (str(path.relative_to(ROOT)) for path in paths if path.is_file() and "__pycache__" not in path.parts)


def devcontainer() -> Any:
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text()
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


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
    assert set(arguments) <= set(OPTIONS)  # set-up reads them


def test_what_is_used_is_declared_before_it_in_its_stage() -> None:
    """An ARG ends with its stage, and one before the first stage is for FROM alone."""
    declared_before = {rest.partition("=")[0] for _, rest in stages()["before"]}
    for name, found in stages().items():
        declared = {"PATH"}
        for instruction, rest in found:
            used = set(re.findall(r"\$\{?(\w+)", rest))
            assert used <= (declared_before if instruction == "FROM" else declared), (name, instruction, rest)
            declared |= {rest.partition("=")[0]} if instruction == "ARG" else set()


def test_what_is_copied_is_there() -> None:
    copies = [rest.split() for name, rest in instructions() if name == "COPY"]
    copied = [
        word for words in copies for word in words[:-1] if not word.startswith("--") and "--from=build" not in words
    ]
    everything, *files = copied
    assert (everything, files) == (".", ["suites/cluster/sshd_config", "suites/cluster/ssh_config"])
    assert [path for path in files if not (ROOT / path).exists() or not is_sent(path)] == []
    assert ["--from=build", "/opt/hvdbench", "/opt/hvdbench"] in copies
    assert ("WORKDIR", "/opt/hvdbench") in stages()["build"]


def test_user_of_the_image_may_read_what_a_checkout_keeps_to_its_owner() -> None:
    (run,) = (rest for name, rest in stages()["build"] if name == "RUN")
    assert run.endswith(" && chmod -R a+rX .")
    configured = [rest for name, rest in stages()[""] if name == "COPY" and "suites/cluster" in rest]
    assert [rest for rest in configured if not rest.startswith("--chmod=644 ")] == []


def test_set_up_takes_the_cached_wheel() -> None:
    assert ("FROM", "scratch AS wheels") in stages()["wheels"]
    assert list(stages()).index("wheels") < list(stages()).index("build")
    (run,) = (rest for name, rest in stages()["build"] if name == "RUN")
    assert run.startswith(f"--mount=type=cache,target={CACHE},from=wheels ")


def test_all_that_set_up_needs_is_sent_to_the_build() -> None:
    needed = set(needed_by_set_up())
    assert {"README.md", "LICENSE", "Makefile", "harness/bootstrap/constraints.txt", "suites/quick.yaml"} <= needed
    assert sorted(path for path in needed if not (ROOT / path).exists() or not is_sent(path)) == []


@pytest.mark.parametrize(
    "path",
    [
        *(".git/HEAD", ".venv/bin/python", ".ci/run", "build/lib", "dist/hvdbench.whl", "tests/conftest.py"),
        *("results/quick/1.json", "reports/sample/index.html", "compare/cnn/cnn.yaml", "my_training.py"),
        *("harness/__pycache__/cli.pyc", "harness/bootstrap/__pycache__/pins.pyc"),
    ],
)
def test_no_more_is_sent_to_the_build(path: str) -> None:
    assert not is_sent(path)


def test_devcontainer_is_made_of_the_build_tools() -> None:
    said = devcontainer()
    assert list(faults(said, DEVCONTAINER, "devcontainer.json")) == []
    assert said["build"]["target"] in stages()
    folder = ROOT / ".devcontainer"
    assert (folder / said["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / said["build"]["context"]).resolve() == ROOT
    assert said["postCreateCommand"].endswith(" && make setup")
    assert set(said["containerEnv"]) <= set(OPTIONS)


def test_devcontainer_runs_as_root_whose_cache_outlives_it() -> None:
    """So git has to be told that a checkout of another's is safe: records name its commit."""
    said = devcontainer()
    assert "USER" not in dict(stages()[said["build"]["target"]])
    (mount,) = said["mounts"]
    assert mount == f"source=hvdbench-cache,target={CACHE},type=volume"
    assert said["postCreateCommand"].startswith(
        "git config --global --add safe.directory '${containerWorkspaceFolder}' "
    )
