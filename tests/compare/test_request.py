"""What a comparison may be asked for, and which workers and hosts it takes where nothing is said."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from harness import extensions
from harness.compare import request as request_module
from harness.compare.request import (
    DEFAULT_STRATEGIES,
    CompareError,
    default_workers,
    num_hosts_for,
    request_of,
    title_of,
)
from harness.launchers.hosts import parse_hosts, this_machine
from tests.compare.asked import asked


def test_request_has_defaults_for_all_but_the_target() -> None:
    request = request_of("cnn", this_machine())
    assert " ".join(DEFAULT_STRATEGIES) == (
        "serial allreduce allreduce-flat allreduce-compressed local-sgd post-local-sgd slow-momentum delayed-averaging "
        "gossip ad-psgd hogwild hogwild-averaging neuron-wise downpour elastic"
    )
    assert (request.strategies, request.repeats, request.minutes) == (DEFAULT_STRATEGIES, 5, 20.0)
    assert request.workers == ((1,) if len(os.sched_getaffinity(0)) == 1 else (1, 2))


def test_workers_are_one_and_the_slots_of_the_hosts() -> None:
    assert default_workers(parse_hosts("a:4")) == (1, 4)
    assert default_workers(parse_hosts("a:4,b:4")) == (1, 8)
    assert default_workers(parse_hosts("a:4,b:2")) == (1, 4)  # as many on each


def test_workers_are_few_where_nobody_named_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here, of_job = parse_hosts("localhost:16"), parse_hosts("n1:16,n2:16")
    monkeypatch.setattr(request_module, "this_machine", lambda: here)
    assert request_of("cnn", here).workers == (1, 2)
    assert request_of("cnn", here, hosts="localhost:16").workers == (1, 16)
    in_a_job = request_of("cnn", of_job)
    assert (in_a_job.workers, in_a_job.hosts) == ((1, 32), None)  # goes on in another job with as many slots


def test_workers_go_to_the_fewest_hosts_that_hold_them() -> None:
    hosts = parse_hosts("a:4,b:4,c:4")
    assert [num_hosts_for(workers, hosts) for workers in (1, 4, 6, 8, 9, 12)] == [1, 1, 2, 2, 3, 3]
    assert num_hosts_for(16, hosts) == 3  # placement says what lacks


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strategies": ["serial", "lokal-sgd"]}, "compare fnn: strategies: 'lokal-sgd'; allowed: serial, allreduce"),
        ({"strategies": ["serial", "serial"]}, "compare fnn: strategies: serial stands twice; allowed: each once"),
        ({"strategies": ["mine.py:Mine"]}, "compare: mine.py: no such file in "),
        ({"workers": ["1", "two"]}, "compare fnn: workers.1: 'two': Input should be a valid integer"),
        ({"workers": [0]}, "compare fnn: workers: 0; allowed: 1 or more"),
        ({"minutes": 0}, "compare fnn: minutes: 0: Input should be greater than 0"),
        ({"framework": "jax"}, "compare fnn: framework: 'jax'; allowed: torch, tensorflow, or both with a comma"),
        ({"framework": "torch,torch"}, "compare fnn: framework: torch stands twice; allowed: each once"),
    ],
)
def test_request_refuses(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(CompareError) as refused:
        asked(**fields)
    assert str(refused.value).startswith(message)


def test_titles_are_names_of_files() -> None:
    assert title_of(asked("cnn", dataset="fashion-mnist")) == "cnn-fashion-mnist"
    assert title_of(asked("fnn", framework="tensorflow")) == "fnn-tensorflow"
    own = asked().model_copy(update={"target": "a/my training.py:make"})
    assert title_of(own) == "my-training-make"


def test_code_is_named_by_its_path_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_training.py").touch()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert asked(f"{tmp_path}/my_training.py:make").target == "../my_training.py:make"


def test_code_by_another_path_is_the_same_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_training.py").touch()
    monkeypatch.chdir(tmp_path)
    assert asked("./my_training.py:make") == asked("my_training.py:make")


def test_strategy_that_is_installed_is_known_by_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint(name="theirs", value="json:loads", group=extensions.STRATEGIES)
    monkeypatch.setattr(extensions, "entry_points", lambda group, name: [point] if name == "theirs" else [])
    assert asked(strategies=["serial", "theirs"]).strategies == ("serial", "theirs")


def test_code_that_changed_is_another_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "my_training.py"
    file.write_text("def make(): ...\n")
    before = asked("my_training.py:make")
    file.write_text("def make(): return None\n")
    (difference,) = before.differences(asked("my_training.py:make"))
    assert difference.startswith("code {'my_training.py:make': ")


def test_differences_name_what_is_asked_otherwise() -> None:
    assert asked(minutes=20).differences(asked(minutes=30, workers=[1])) == [
        "workers 1,2 (now 1)",
        "minutes 20 (now 30)",
    ]
    assert asked().differences(asked()) == []


def test_command_says_defaults_too() -> None:
    assert " ".join(asked(strategies=["serial", "hogwild"]).command) == (
        "hvdbench compare fnn --strategies serial,hogwild --workers 1,2 --repeats 5 --minutes 20"
    )
