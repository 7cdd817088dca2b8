"""The trials of all studies as Optuna's, in `tuning/study.db` (SQLite) of the results, for whoever looks at them there.

Records are what counts: the ledger is told of them, and holds a study to the trials that it began with. Whoever writes
it holds its lock, so several `hvdbench tune` may be at one study.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.records.results_folder import lock
from harness.tuning.trials import Study, Trial
from harness.tuning.tuning_error import TuningError

if TYPE_CHECKING:
    import optuna

LEDGER_FILE = "study.db"
_PATIENCE_S = 60.0  # with whom else reads or writes the file
_SUITE, _KEY = "suite", "key"  # attributes of a study and of a trial


def require_optuna() -> None:
    """Raises TuningError where it is not installed."""
    if importlib.util.find_spec("optuna") is None:
        raise TuningError("hvdbench tune needs Optuna, which is not installed: pip install 'hvdbench[tune]'")


class Ledger:
    """suite: the name of the one that is tuned."""

    def __init__(self, folder: Path, suite: str) -> None:
        self._path, self._suite = folder / LEDGER_FILE, suite

    def begin(self, studies: Sequence[Study]) -> None:
        """Adds what trials it lacks. Raises TuningError where it holds those of another suite, space or seed."""
        with self._open() as storage:
            known = self._known(storage)
            for study in studies:
                begun = known.get(study.name) or self._create(study, storage)
                self._require_same(study, begun)
                for trial in study.trials[len(begun.trials) :]:
                    begun.add_trial(_frozen(study, trial))

    def tell(self, studies: Sequence[Study], values: dict[str, float | None]) -> None:
        """values: of the trials that have ended, by the keys of their cells; None of one without an outcome."""
        import optuna

        with self._open() as storage:
            known = self._known(storage)
            for study in studies:
                for stored in known[study.name].get_trials(deepcopy=False):
                    key = stored.user_attrs[_KEY]
                    if stored.state.is_finished() or key not in values:
                        continue
                    state = optuna.trial.TrialState.FAIL if values[key] is None else None
                    known[study.name].tell(stored.number, values[key], state=state)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with self._path.with_suffix(".lock").open("w") as mine:
            lock(mine, waiting=True)
            try:
                yield storage_of(self._path)
            except (SQLAlchemyError, optuna.exceptions.StorageInternalError, RuntimeError) as error:
                cause = error.__cause__ if isinstance(error, optuna.exceptions.StorageInternalError) else error
                said = f"{type(cause).__name__}: {cause}".splitlines()[0]
                raise TuningError(f"{self._path}: {_with_remedy(said)}") from None

    def _known(self, storage: Any) -> dict[str, optuna.Study]:
        """By name. Raises TuningError where they are of another suite."""
        import optuna

        found = {}
        for name in optuna.get_all_study_names(storage):
            study = optuna.load_study(study_name=name, storage=storage)
            if study.user_attrs.get(_SUITE) != self._suite:
                raise TuningError(
                    f"{self._path}: holds studies of suite {study.user_attrs.get(_SUITE, 'unknown')}, and this is "
                    f"{self._suite}; allowed: --results another folder"
                )
            found[name] = study
        return found

    def _create(self, study: Study, storage: Any) -> optuna.Study:
        import optuna

        metric, target = study.space.recipe.metric, study.space.recipe.target
        goes_up = target is None and metric.direction > 0
        made = optuna.create_study(
            study_name=study.name, storage=storage, direction="maximize" if goes_up else "minimize"
        )
        made.set_user_attr(_SUITE, self._suite)
        made.set_user_attr("title", study.space.recipe.title)
        made.set_user_attr("value", metric.name if target is None else f"seconds to {metric.name} {target:g}")
        return made

    def _require_same(self, study: Study, begun: optuna.Study) -> None:
        stored = [trial.user_attrs.get(_KEY) for trial in begun.get_trials(deepcopy=False)]
        title = study.space.recipe.title
        if len(stored) > len(study.trials):
            raise TuningError(
                f"{self._path}: {title} has {len(stored)} trials already; allowed: --budget {len(stored)} or more"
            )
        if stored != [trial.cell.key for trial in study.trials[: len(stored)]]:
            raise TuningError(
                f"{self._path}: {title}: its trials are of another space, seed or version of the harness; allowed: "
                "the ranges and --seed that it began with, or --results another folder"
            )


def storage_of(ledger: Path) -> Any:
    """Optuna's, of that file. Nothing of it stays open: Python 3.13 complains of a database that is left so."""
    import optuna
    from sqlalchemy.pool import NullPool

    how = {"connect_args": {"timeout": _PATIENCE_S}, "poolclass": NullPool}
    return optuna.storages.RDBStorage(f"sqlite:///{ledger}", engine_kwargs=how)


def _frozen(study: Study, trial: Trial) -> Any:
    """A trial that waits for its outcome."""
    import optuna

    distributions: dict[str, Any] = {}
    for axis in study.space.axes:
        if axis.choices:
            distributions[axis.name] = optuna.distributions.CategoricalDistribution(axis.choices)
        elif axis.is_whole and axis.unit is None:
            low, high = math.ceil(axis.low), math.floor(axis.high)
            distributions[axis.name] = optuna.distributions.IntDistribution(low, high, log=axis.scale == "log")
        else:
            is_log = axis.scale == "log"
            distributions[axis.name] = optuna.distributions.FloatDistribution(axis.low, axis.high, log=is_log)
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING,
        params=trial.values,
        distributions=distributions,
        user_attrs={_KEY: trial.cell.key},
    )


def _with_remedy(said: str) -> str:
    """What SQLite or Optuna said, and what to do."""
    if "disk is full" in said:
        return f"cannot be written ({said}); free some room, and give the same command again"
    return f"unreadable, or of another Optuna ({said}); it is made anew from the records where it is removed"
