"""What one run leaves behind: the schema. results/README.md documents every field.

harness/records/results_folder.py keeps and reads records.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.records.stored_cell import StoredCell
from harness.records.stored_text import Text

SCHEMA_VERSION = 3
# Raised whenever a figure of the same name comes to mean something else, or what the harness itself does in training
# takes another time: records of different ways of measuring are not compared. 1: until schema version 2. What changed
# is listed in results/README.md.
MEASURING_VERSION = 5

Status = Literal["ok", "failed", "timeout"]


class Part(BaseModel):
    """The base of what is read back from results folders."""

    # A diverged run's losses are "Infinity" and "NaN": JSON has no such numbers, and null would not be read back.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]  # as frames have it


class Window(Part):
    """Consecutive steps of one worker between two fences. Times count from the start of training."""

    start_s: float
    end_s: float
    num_steps: Int64
    num_samples: Int64  # of this worker
    loss: float  # mean over the steps
    loader_s: float  # waiting for batches
    exposed_s: float | None  # waiting for communication or slower workers; None where the wrapper does not tell
    # Of it, waiting for workers that were slower; None where it is not known, as in records from before it was told.
    peer_s: float | None = None
    bytes_sent: Int64
    step_p50_s: float
    step_p95_s: float
    step_max_s: float


class Merge(Part):
    """This worker's distance ‖x_i − x̄‖₂ from the workers' mean just before and just after it merged what arrived."""

    step: Int64  # of this worker, at whose end it merged
    before: float
    after: float


class Drift(Part):
    """This worker's distance ‖x_i − x̄‖₂ from the workers' mean at the end of a step that was drawn at random."""

    step: Int64
    distance: float


class Interruptions(Part):
    """What kept a worker from running while it trained, in seconds; None where the system does not tell."""

    paused_s: float  # stopped, or the machine under it: the clock of training went on
    suspended_s: float  # the machine was asleep: that clock stood still
    throttled_s: float | None  # held back by a quota of its control groups, over cores
    steal_s: float | None  # taken by the host of a virtual machine, of the cores that it may use
    # User and system time of all processes on the machine's cores, this launch's among them. None in older records too.
    machine_cpu_s: float | None = None


class Machine(Part):
    """Where a run took place. `fingerprint` is equal for machines whose timings may be compared."""

    fingerprint: Text
    cpu: Text
    num_cores: Int64
    memory_bytes: Int64
    gpus: list[Text]
    system: Text
    load_1min: float
    # Cores' worth of CPU time that a control group allows; None where none limits it, and in older records.
    cpu_quota: float | None = None
    cpuset: Text | None = None  # the cores, `0-3`, where they are part of the machine's; None likewise
    # Equal for hosts that are one machine, as emulated ones are, until it starts anew; None in older records.
    kernel: Text | None = None
    # Of machines that workers of one launch were on; more than 1 says that this is a summary of unlike ones.
    num_kinds: Int64 = 1


class WorkerPart(Part):
    """What one worker measured."""

    rank: Int64
    num_workers: Int64 = 1  # whom it speaks for: all of the cell's where one process drives them
    # Equal for workers of one machine, until that starts anew; tells no name. None in older records.
    host: Text | None = None
    machine: Machine | None = None  # of the first worker of each machine
    cores: list[Int64] | None  # pinned to these, None when not pinned
    startup_s: dict[Text, float]  # by phase: import, connect, data, model, warm-up
    windows: list[Window]
    # How many of the clock's windows stand in each of these: more than 1 where there are many workers or long hours.
    windows_joined: Int64 = 1
    # When this worker was at the points of `curve`; it copies its weights there where they are evaluated.
    snapshots_s: list[float]
    train_s: float
    # Steps that it had taken when the time limit stopped it. None where it took all of its own, and in older records.
    stopped_after: Int64 | None = None
    # User and system time of training, processes that make batches included; workers that are threads of one process
    # have equal shares of it.
    cpu_s: float
    # Resident memory likewise, pages that processes of one worker share taken once: when framework, data and model are
    # made, as training starts, and the most in training (a sum of peaks, where there are several processes). None in
    # older records, and where the system has no peak of training alone.
    made_rss_bytes: Int64 | None = None
    start_rss_bytes: Int64 | None = None
    peak_rss_bytes: Int64 | None
    # What the copies of the weights take that only measuring keeps, for `curve`, `merges` and `drift`, or the room that
    # is made for them; part of the most and of what follows.
    measuring_bytes: Int64 | None = None
    # Weights, gradient, optimizer state and buffers, of this worker.
    tensor_bytes: Int64 | None = None
    # At the end of training: a page that k processes share counts as 1/k of one, and threads have
    # equal shares. None where the system does not tell.
    pss_bytes: Int64 | None = None
    # The most that tensors took at a time of the GPUs of this process, up to the end of training. None on a CPU.
    gpu_memory_bytes: Int64 | None = None
    # Updates by how many of other workers were applied between reading the weights and writing them; the last place
    # holds that many or more. None where updates are not asynchronous.
    staleness_counts: list[Int64] | None = None
    # ‖x_i − x̄‖₂ of this worker's weights from the workers' mean, at each of `snapshots_s`. None where the evaluated
    # model is no mean.
    distances: list[float] | None = None
    # A few merges spread over training: its first, and the next after some evaluation points. None where the evaluated
    # model is no mean, and in records from before merges were watched.
    merges: list[Merge] | None = None
    # At steps drawn from equal stretches of training, which fall anywhere in an averaging period. None where the
    # evaluated model is no mean, and in records from before they were drawn.
    drift: list[Drift] | None = None
    # Single averages of all weights, made after training with nothing else to do: what communication takes when
    # nothing hides it. None where there is no collective.
    average_alone_s: list[float] | None = None
    # None in older records.
    interruptions: Interruptions | None = None
    settings: dict[Text, Text]  # Horovod, MPI, thread and framework settings in force, and how the fabric works


class ServerPart(Part):
    """What a process that is no rank used while the workers trained. It gets no share of the data from the harness."""

    role: Text  # server; worker, where a coordinator hands it batches
    index: Int64  # among the processes of its role
    cpu_s: float  # user and system time of training
    start_rss_bytes: Int64 | None = None  # as training starts
    peak_rss_bytes: Int64 | None  # in training
    pss_bytes: Int64 | None  # at the end of training; None where the system does not tell
    bytes_sent: Int64 | None = None  # in training, to workers; None where the server does not tell


class Point(Part):
    """The evaluated model at one moment."""

    step: Int64  # of each worker
    num_samples: Int64  # of all workers
    time_s: float  # training time when the model was there: the last worker, and the average that makes it
    average_s: float = 0.0  # of it, that average; 0 where no worker lacked the mean, and in what was measured before 2
    evaluation_s: float
    loss: float
    score: float  # by the cell's metric


class Tuning(Part):
    """That what a run trained with was tuned, or is one trial of tuning it (harness/tuning)."""

    budget: Int64  # trials that each strategy, workload and number of workers got
    sampler: Text  # how they were drawn
    seed: Int64  # of the draws
    study: Text | None = None  # which a trial belongs to: the group of its recipe's cell; None of runs that are judged
    trial: Int64 | None = None  # its number, 0 the recipe's; None of runs that are judged
    space: dict[Text, Text] = {}  # of a trial: from where to where was searched, in words, by field or option
    at_edge: list[Text] = []  # of a trial: where it lies at an end beyond which there would be more


class Rules(Part):
    """What a suite had laid down, before the launch, of how its claims will be decided (harness/suite/claims.py)."""

    # That has the suite's file as it was read, or that of the same rules that it was tuned from; None where none has.
    commit: Text | None
    digests: dict[Text, Text]  # of each claim's rule, by the claim's name


class Record(Part):
    """One run of one cell."""

    schema_version: Int64 = SCHEMA_VERSION
    measuring: Int64 = MEASURING_VERSION
    id: Text
    suite: Text
    question: Text = ""  # that the suite answers; empty in records from before it was kept
    tuning: Tuning | None = None  # None where the suite says with what it trains, as in older records
    rules: Rules | None = None  # None where the suite claims nothing, as in older records
    cell: StoredCell
    status: Status
    reason: Text | None  # why it is not ok, in one sentence
    log_tail: Text | None  # end of the workers' output when it is not ok
    started_at: Text  # UTC, ISO 8601; as it was written
    wall_s: float  # from launch to record
    # horovodrun; processes; threads, of one process; process, one that drives all workers; coordinator, with servers;
    # existing, started inside a launch
    launcher: Text
    command: list[Text]
    evaluated_model: Text
    # Of a worker, that is the first to send something to the others by the options; None where it has no others to
    # reach, and in records from before it was kept.
    first_exchange_step: Int64 | None = None
    num_parameters: Int64 | None
    num_held_out: Int64 | None = None  # samples that each point of `curve` is over; None in older records
    # Values of the vector that is averaged: parameters, and buffers that training moves.
    vector_size: Int64 | None = None
    weights_sha256: Text | None  # of the evaluated model at the end, float32
    initial_sha256: Text | None = None  # of rank 0's weights as they were drawn, likewise; None in older records
    curve: list[Point]
    workers: list[WorkerPart]
    servers: list[ServerPart] = []  # beside the ranks; none in records from before they were counted
    lost_ranks: list[Int64] = []  # of workers that died, without which the others went on: they left no part
    machine: Machine
    versions: dict[Text, Text]
    horovod_build: list[Text] = []  # gloo, mpi, nccl and the MPI library that it loads; none without it, or not known
    # Of environment and launch, those that change speed and that the cell does not say; none in records from before.
    settings: dict[Text, Text] = {}
    revision: Text | None  # git commit of the harness, `+` when changed since

    @field_validator("started_at")
    @classmethod
    def _is_a_moment(cls, text: str) -> str:
        try:
            is_moment = datetime.fromisoformat(text).tzinfo is not None
        except ValueError:
            is_moment = False
        if not is_moment:
            raise ValueError(f"{text!r}; allowed: a time with its zone, as 2026-01-02T03:04:05.678+00:00")
        return text

    @property
    def key(self) -> str:
        return self.cell.key

    @property
    def group(self) -> str:
        return self.cell.group

    @property
    def was_stopped(self) -> bool:
        """Its time limit ended training, and the launch ended by itself then: an outcome, and no failure.

        Every worker that was not lost has left its part then. In older records, whose workers do not say that they were
        stopped, one that has a curve.
        """
        has_stopped = any(part.stopped_after is not None for part in self.workers) or bool(self.curve)
        num_told = sum(part.num_workers for part in self.workers) + len(self.lost_ranks)
        return self.status == "timeout" and has_stopped and num_told == int(self.cell["workers"])

    @property
    def workers_are_threads(self) -> bool:
        """All of one process; else each part of `workers` is of its own."""
        return self.launcher == "threads"

    @property
    def processes(self) -> list[WorkerPart | ServerPart]:
        """All that took part: what a run takes of the machine is the sum over them."""
        return [*self.workers, *self.servers]
