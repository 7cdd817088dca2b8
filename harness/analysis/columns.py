"""The columns of the frames, each with its unit and meaning: the one place that documents them.

A column is named after what it holds with the unit at the end; shares run from 0 to 1. What is missing in a record
(a wait that a wrapper does not tell, a target that was not reached) is missing here, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.suite.fields import FIELDS, column_dtype


@dataclass(frozen=True, kw_only=True)
class Column:
    """dtype: as pandas names it."""

    name: str
    dtype: str
    unit: str
    meaning: str


def _columns(*rows: tuple[str, str, str, str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, dtype=dtype, unit=unit, meaning=meaning) for name, dtype, unit, meaning in rows)


def _of_cell() -> tuple[Column, ...]:
    """The fields of a cell that are columns, as harness/suite/fields.py describes them."""
    return tuple(
        Column(name=name, dtype=column_dtype(name), unit=known.unit, meaning=known.meaning)
        for name, known in FIELDS.items()
        if known.is_column
    )


_RUN = _columns(
    ("run", "str", "", "id of the launch, unique"),
    ("results", "str", "", "name of the results folder it lies in"),
    ("suite", "str", "", "suite it was started for"),
    ("question", "str", "", "that the suite answers; missing in records from before it was kept"),
    ("tuning_budget", "float64", "", "trials by which its settings were tuned, or whose one it is; missing if neither"),
    ("study", "str", "", "of tuning, that a trial belongs to; missing in launches that are judged"),
    ("trial", "float64", "", "its number, 0 the recipe's; missing likewise"),
    ("search_space", "str", "", "what was searched from where to where; missing likewise"),
    ("at_edge", "str", "", "what of a trial lies at an end of that beyond which there would be more; missing likewise"),
    ("rules", "str", "", "by which claims are decided, as they were before the launch: claim=digest, comma-separated; "
     "missing where the suite claims nothing"),
    ("rules_commit", "str", "", "that has the suite's file with them, or the one that it was tuned from; missing where "
     "none has"),
    ("key", "str", "", "hash of the cell with its seed"),
    ("group", "str", "", "hash of the cell without its seed: launches of one group repeat each other"),
    ("status", "str", "", "ok, failed or timeout"),
    ("reason", "str", "", "why it is not ok; missing when it is"),
    ("log_tail", "str", "", "end of the workers' output; missing when it is ok"),
    ("started_at", "datetime64[us, UTC]", "UTC", "launch"),
    ("wall_s", "float64", "s", "from launch to record: start-up, training and evaluation"),
    ("num_lost", "float64", "", "workers that died, without which the others went on"),
)  # fmt: skip

_NAMED = _columns(
    ("problem", "str", "", "model and data set, with the size of synthetic data: launches are compared within it"),
    ("label", "str", "", "strategy with those options that differ from its defaults"),
    ("metric", "str", "", "by which the model is judged: accuracy, or what the workload names"),
    ("metric_unit", "str", "", "its unit; share runs from 0 to 1"),
    ("metric_better", "str", "", "higher or lower"),
    ("metric_low", "float64", "", "the least value that there can be; missing where there is none"),
    ("metric_high", "float64", "", "the greatest one, likewise"),
    ("sample_unit", "str", "", "what a sample is: image, token, rating"),
    ("workload_code", "str", "", "digest of the files of a workload that is not shipped; missing for those that are"),
    ("worker_kind", "str", "", "processes or threads; never drawn as one series"),
    ("num_servers", "int64", "", "processes beside the workers that hold weights for them or coordinate them"),
    ("cores", "int64", "", "workers × (threads + loader_workers) + num_servers"),
    ("num_gpus", "int64", "", "one a worker; 0 on a CPU"),
    ("global_batch_size", "int64", "samples", "of all workers in one step"),
    (
        "scaled_learning_rate",
        "float64",
        "",
        "after lr_scaling and warm-up, before the schedule; missing in old records",
    ),
)

_MEASURED = _columns(
    # Speed.
    ("train_s", "float64", "s", "training of the slowest worker, evaluation excluded"),
    ("samples_per_s", "float64", "samples/s", "of all workers, from when all are steady until the last ends"),
    ("samples_per_s_whole", "float64", "samples/s", "of all workers over the whole of training"),
    ("steady_from_s", "float64", "s", "training time at which the steady state begins (harness/records/steady.py)"),
    ("is_steady", "bool", "", "whether a steady state was found in the first half of the launch's training"),
    ("step_p50_s", "float64", "s", "median step: median over steady windows of each window's median"),
    ("step_p95_s", "float64", "s", "slow step: median over steady windows of each window's 95th percentile"),
    ("step_max_s", "float64", "s", "slowest step in steady state"),
    # Where the time of the workers goes, in steady state: computing, exposed and loader add up to 1.
    ("compute_share", "float64", "share", "neither exposed_share nor loader_share; missing when exposed_share is"),
    ("exposed_share", "float64", "share", "waiting for communication or slower workers"),
    ("peer_share", "float64", "share", "of the time, too: that part of exposed_share which is waiting for a slower "
     "worker. Missing where it is not known, as of averages under way in old records"),
    ("communication_share", "float64", "share", "of the time, too: the rest of exposed_share, communication itself; "
     "missing when peer_share is"),
    ("loader_share", "float64", "share", "waiting for the next batch"),
    ("compute_s_per_step", "float64", "s", "steady state: a worker's step without its waits for communication or "
     "slower workers, mean over workers; missing when exposed_share is"),
    ("cpu_s_per_step", "float64", "s", "CPU time of training, servers' included, over the steps of all workers"),
    ("trained_samples", "float64", "samples", "that all workers trained on"),
    ("bytes_per_step", "float64", "bytes", "sent by one worker in one step, and by servers to it, mean over its "
     "training; without what servers send for evaluations"),
    ("silent_end_share", "float64", "share", "of a worker's steps, those at the end of training in which none sent "
     "anything though all did in every window before: 1 where nothing was ever sent, 0 where there were pauses before"),
    ("never_exchanged", "bool", "", "whether training ended before workers, or groups of them, were first to exchange "
     "anything by the options; in older records, whether nothing was sent"),
    ("average_alone_s", "float64", "s", "a single average of all weights with nothing else to do, median; "
     "missing where there is no collective"),
    ("communication_s", "float64", "s", "what a worker's averages would take one by one: those of the launch, by the "
     "bytes they send, times average_alone_s; missing where workers of a group send by memory, too"),
    ("hidden_share", "float64", "share", "of communication_s that nobody waited for: 1 − waited / communication_s, "
     "0 where more was waited than that; without what was waited for a slower worker, where that is known"),
    ("staleness_mean", "float64", "updates", "of others applied between read and write of an update, mean; "
     "missing where updates are not asynchronous"),
    ("staleness_p95", "float64", "updates", "its 95th percentile"),
    ("consensus_distance", "float64", "", "distance of the workers' weights from their mean, √(Σ‖x_i − x̄‖²/m), mean "
     "over steps drawn at random; missing where the evaluated model is no mean"),
    ("distance_before_merge", "float64", "", "the same just before a merge, mean over the merges that were watched; "
     "missing where none was"),
    ("distance_after_merge", "float64", "", "and just after it"),
    ("slowest_rank", "int64", "", "worker that computes longest for a step, waiting excluded; -1 when unknown"),
    ("imbalance", "float64", "share", "by how much that worker is slower than the mean of all: 0.1 is 10 %"),
    ("startup_s", "float64", "s", "of the slowest worker, from its first line of Python to its first measured step"),
    ("cpu_share", "float64", "share", "CPU time used in training, servers' included, of the cores asked for; "
     "above 1 when more was used"),
    # What kept it from running while it trained, of the worker that lost most; missing where that is not known.
    ("stopped_s", "float64", "s", "stopped, or the machine asleep"),
    ("throttled_s", "float64", "s", "held back by a CPU quota, each core on the mean"),
    ("stolen_s", "float64", "s", "taken by the host of a virtual machine, of each core on the mean"),
    # Memory without the copies of weights that only measuring keeps.
    ("peak_rss_bytes", "float64", "bytes", "sum of each worker's and server's peak in training; shared pages count "
     "once for each; a lower bound, since all copies are taken off, also those made after the peak; missing where the "
     "system does not tell"),
    ("grown_bytes", "float64", "bytes", "of it what came on top of framework, data and model; a lower "
     "bound and missing likewise"),
    ("tensor_bytes", "float64", "bytes", "weights, gradient, optimizer state and buffers of one worker, the largest"),
    ("pss_bytes", "float64", "bytes", "sum over all processes at the end of training; a page that k share counts 1/k"),
    ("gpu_memory_bytes", "float64", "bytes", "sum over workers of each one's peak of what tensors took of its GPU; "
     "missing on a CPU"),
    # Learning.
    ("num_parameters", "float64", "", "trainable"),
    ("num_held_out", "float64", "samples", "that evaluations are over; missing in old records"),
    ("score", "float64", "", "of the evaluated model at the end, by `metric`"),
    ("best_score", "float64", "", "best of its curve"),
    ("loss", "float64", "", "of the evaluated model at the end, held-out set"),
    ("reached", "bool", "", "whether the target was reached; false where there is none, or the launch failed"),
    ("time_to_target_s", "float64", "s", "training time at the first evaluation as good as the target; "
     "missing = not reached: given up at observed_s, or failed"),
    ("time_to_target_after_s", "float64", "s", "the evaluation before that one: the target was reached in between"),
    ("time_to_target_with_evaluation_s", "float64", "s", "the same with what evaluating up to it took, means included"),
    ("samples_to_target", "float64", "samples", "trained on by all workers up to then"),
    ("samples_to_target_after", "float64", "samples", "up to the evaluation before that one"),
    ("observed_s", "float64", "s", "training time of the last evaluation: how long a target was looked for"),
    # Where and with what.
    ("evaluated_model", "str", "", "which model the curve evaluates"),
    ("launcher", "str", "", "horovodrun, processes, threads, process, coordinator or existing"),
    ("fingerprint", "str", "", "equal for machines whose timings may be compared"),
    ("cpu", "str", "", "of the machine"),
    ("machine_kinds", "int64", "", "of unlike machines that the workers of the launch were on"),
    ("num_cores", "int64", "", "of the machine"),
    ("num_machines", "float64", "", "that the hosts are: emulated ones are one; missing where records do not tell"),
    ("gpus", "str", "", "of the machine, comma-separated"),
    ("load_1min", "float64", "", "load average of the machine right after the launch"),
    ("others_share", "float64", "share", "of the machine's cores, used by processes that are not the launch's while it "
     "trained; missing where that is not known"),
    ("python", "str", "", "series of the Python that ran the workers, 3.11; missing where records do not tell"),
    ("versions", "str", "", "packages that matter to timing, name=version, comma-separated"),
    ("gpu_driver", "str", "", "version of the driver of the GPUs that it ran on; empty on a CPU"),
    ("gpu_libraries", "str", "", "NCCL and cuDNN that pip has beside the frameworks, name=version, comma-separated; "
     "empty on a CPU, where pip has none and in old records"),
    ("torch_libraries", "str", "", "NCCL and cuDNN as PyTorch's workers tell them on GPUs, likewise"),
    ("horovod_nccl", "str", "", "NCCL that Horovod is built with, as its workers tell on GPUs; empty where none does"),
    ("horovod_mpi", "str", "", "MPI library that Horovod loads over MPI; empty elsewhere and in old records"),
    ("revision", "str", "", "git commit of the harness, `+` when changed since"),
    ("measuring", "int64", "", "version of the way of measuring: figures of different ones do not compare"),
    ("command", "str", "", "that launched the workers, without paths of the machine"),
    ("settings", "str", "", "of libraries and threads in force on the first worker, name=value, comma-separated"),
    ("process_settings", "str", "", "of the environment, that change the speed of any process, name=value, "
     "comma-separated"),
    ("horovod_settings", "str", "", "of environment and launch, that change the speed of Horovod's workers alone"),
    ("mpi_settings", "str", "", "likewise, of those over MPI alone"),
    ("weights_sha256", "str", "", "hash of the evaluated model's last weights"),
    ("initial_sha256", "str", "", "hash of the weights that training began with; missing in old records"),
)  # fmt: skip

RUNS = (*_RUN, *_of_cell(), *_NAMED, *_MEASURED)

WORKERS = _columns(
    ("run", "str", "", "id of the launch"),
    ("rank", "int64", "", "of the worker"),
    ("num_steps", "int64", "", "that it took; of one number on all where steps are not shared out"),
    ("train_s", "float64", "s", "training of this worker"),
    ("cpu_s", "float64", "s", "user and system time of training"),
    (
        "peak_rss_bytes",
        "float64",
        "bytes",
        "peak resident memory in training, shared pages and what measuring keeps included",
    ),
    ("compute_s_per_step", "float64", "s", "steady state: step time without waits; missing when they are unknown"),
    ("samples_per_s", "float64", "samples/s", "of this worker in steady state"),
)

WINDOWS = _columns(
    ("run", "category", "", "id of the launch"),
    ("rank", "int32", "", "of the worker"),
    ("window", "int32", "", "position in the launch"),
    ("start_s", "float64", "s", "since the start of training"),
    ("end_s", "float64", "s", "since the start of training, device synchronised"),
    ("num_steps", "int32", "", "of this worker"),
    ("num_samples", "int64", "samples", "of this worker"),
    ("loss", "float64", "", "training loss, mean over the steps"),
    ("loader_s", "float64", "s", "waiting for batches"),
    ("exposed_s", "float64", "s", "waiting for communication or slower workers; missing where a wrapper does not tell"),
    ("peer_s", "float64", "s", "of it, waiting for slower workers; missing where that is not known"),
    ("bytes_sent", "int64", "bytes", "by this worker"),
    ("step_p50_s", "float64", "s", "median step"),
    ("step_p95_s", "float64", "s", "95th percentile of the steps"),
    ("step_max_s", "float64", "s", "slowest step"),
    ("is_steady", "bool", "", "whether it lies in the steady state of its launch"),
)

STALENESS = _columns(
    ("run", "str", "", "id of the launch"),
    ("rank", "int64", "", "of the worker"),
    ("staleness", "int64", "updates", "of other workers applied between read and write; the last stands for more, too"),
    ("num_updates", "int64", "", "of this worker that met so many"),
)

CURVE = _columns(
    ("run", "category", "", "id of the launch"),
    ("step", "int64", "", "of each worker"),
    ("num_samples", "int64", "samples", "trained on by all workers"),
    (
        "time_s",
        "float64",
        "s",
        "training time when the model was there: the last worker, and the average that makes it",
    ),
    ("average_s", "float64", "s", "of it, that average; 0 where every worker held the mean, or the model is none"),
    ("evaluation_s", "float64", "s", "taken by this evaluation, off the clock"),
    ("time_with_evaluation_s", "float64", "s", "time_s, all evaluations up to this one, and the averages before it"),
    ("loss", "float64", "", "of the evaluated model, held-out set"),
    ("score", "float64", "", "of the evaluated model, held-out set, by the launch's metric"),
    ("consensus_distance", "float64", "", "√(Σ‖x_i − x̄‖²/m) over the workers; missing where the model is no mean"),
)

FRAMES = {"runs": RUNS, "workers": WORKERS, "windows": WINDOWS, "curve": CURVE, "staleness": STALENESS}
