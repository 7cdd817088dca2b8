"""Whatever stands in a place of a record: it is refused where it is read, or it has its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.analysis.frames import FrameBuilder
from harness.check.metrics import values_of
from harness.plain_text import shown
from harness.records.record import SCHEMA_VERSION, Merge, Record, ServerPart
from harness.records.results_folder import ResultsError, parsed
from harness.suite.cell import Cell
from tests.fuzzed_results import GONE, one_round, places, whole_contents, with_odd
from tests.sample_records import finished

ODD: tuple[Any, ...] = (None, "x", 0, -1, 2**62, 10**400, 0.5, "NaN", True, [], {})
HOSTILE = "\x1b[2J\x9b\u202e\uffff\x00"


def whole() -> dict[str, Any]:
    """A record of two workers with everything in it that a record may have."""
    first = (
        finished()
        .workers[0]
        .model_copy(
            update={
                "staleness_counts": [1, 2],
                "distances": [0.5],
                "merges": [Merge(step=1, before=1.0, after=0.5)],
                "average_alone_s": [0.1],
            }
        )
    )
    cell = Cell.model_validate({"workload": "fnn", "strategy": "allreduce", "workers": 2})
    server = ServerPart(role="server", index=0, cpu_s=1.0, peak_rss_bytes=4, pss_bytes=3)
    workers = [first, first.model_copy(update={"rank": 1})]
    content: dict[str, Any] = json.loads(finished(cell, workers=workers, servers=[server]).model_dump_json())
    return content


def texts(content: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    if isinstance(content, dict):
        yield from content
    if isinstance(content, str):
        yield content
    for inner in content.values() if isinstance(content, dict) else content if isinstance(content, list) else ():
        yield from texts(inner)


def test_no_text_of_a_record_moves_a_cursor_or_breaks_xml() -> None:
    content, num_read = whole(), 0
    for open_mapping in (content["versions"], content["cell"]["fields"], content["workers"][0]["settings"]):
        open_mapping["a key"] = "said"
    content["workers"][0]["startup_s"][HOSTILE] = content["workers"][0]["startup_s"].pop("import")
    content |= {"log_tail": "said", "reason": "said", "revision": "said"}
    content["machine"]["gpus"] = ["said"]
    for place in places(content):
        try:
            text = json.dumps(with_odd(content, place, HOSTILE)).encode()
            record = parsed(Record, text, where="x.json", newest=SCHEMA_VERSION)
        except ResultsError:
            continue  # no text at all, or one of a few
        num_read += 1
        assert [said for said in texts(record.model_dump(mode="json")) if shown(said) != said] == [], place
    assert num_read > 30


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")  # a rate of no samples is no number, and may say so
@pytest.mark.parametrize("odd", [*ODD, GONE], ids=lambda odd: "gone" if odd is GONE else repr(odd)[:10])
def test_odd_value_is_refused_by_name_or_has_its_rows(odd: Any) -> None:
    content = whole()
    builder, num_read, num_refused = FrameBuilder(results="r"), 0, 0
    for place in places(content):
        text = json.dumps(with_odd(content, place, odd)).encode()
        try:
            record = parsed(Record, text, where="x.json", newest=SCHEMA_VERSION)
        except ResultsError:
            num_refused += 1
            continue
        builder.add(record.model_copy(update={"id": f"run-{num_read}"}))
        values_of(record)
        num_read += 1
    assert len(builder.frames()["runs"]) == num_read
    assert num_refused > 10


@pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
def test_odd_values_in_random_places_end_in_an_answer_and_a_verdict(tmp_path: Path) -> None:
    """Thousands of rounds, with pages: `python -m tests.fuzzed_results`."""
    whole = whole_contents()
    broken = [one_round(whole, number, tmp_path / str(number), with_drawings=False) for number in range(6)]
    assert not any(broken), "\n".join(filter(None, broken))
