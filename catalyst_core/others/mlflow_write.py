"""A race in MLflow's file store: an experiment a race, a run a contender.

params       how the contender was set up
metrics      the curves, each number with its step and the time at which it was stored; the ledger's numbers at the last step
tags         the race, the contender, its state, the command that repeats the race, the commit of the program that wrote this
artifacts    ledger.json and, where something was changed by hand, changes.json

MLflow's own store writes it, beside the wanted folder, from where it is moved as a whole. Since MLflow 3 that store is in
maintenance and opens only where MLFLOW_ALLOW_FILE_STORE is true, which is set here while it is written;
`mlflow migrate-filestore` turns such a folder into a database. MLflow's telemetry is off meanwhile.
"""

import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from catalyst_core.errors import ConfigError, shown
from catalyst_core.export.repeat import repeat_command, versions
from catalyst_core.finite import finite
from catalyst_core.frames.view import Reader
from catalyst_core.others import check_installed, told
from catalyst_core.store.base import RaceInfo, RunInfo, StoredEvent

ALLOWED = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
RACE_TAG = "catalyst.race"
AT_ONCE = 1000  # metrics that the store takes in one call
STATUS = {"completed": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
MAINTENANCE = (
    "MLflow's file store is in maintenance: MLflow 3 opens it only with MLFLOW_ALLOW_FILE_STORE=true, and "
    "`mlflow migrate-filestore` turns it into a database."
)


def write_mlflow(store: Reader, race_id: str, out: Path) -> str:
    """Add a finished race to the file store in the folder `out`, which may be new; returns the name of its experiment.

    The experiment appears whole or not at all. Raises NotFoundError, and ConfigError without MLflow, for a race that is still
    going or that is in that store already, or a folder that is no file store or cannot be written.
    """
    check_installed("mlflow")
    race, out = store.race(race_id), Path(out).resolve()
    if not race.is_finished:
        raise ConfigError(f"race {race.id} is {race.state}: MLflow gets it once all of its contenders have ended")
    is_new = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    if not is_new and not (out / ".trash").is_dir():
        raise ConfigError(f"{shown(str(out))} is no file store of MLflow: give one, or a folder that is new or empty")
    name = f"{race.title} ({race.id})".replace("'", "’")  # MLflow looks for names between such marks
    with allowed():
        from mlflow.exceptions import MlflowException

        try:
            if not is_new:
                _check_absent(race, out)
            out.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
                made = _written(store, race, name, (Path(work) / "new", out))
                (made.parent if is_new else made).rename(out if is_new else out / made.name)
        except MlflowException as error:
            raise ConfigError(f"MLflow refuses race {race.id}: {shown(str(error))}") from error
        except OSError as error:
            raise ConfigError(f"{shown(str(out))} cannot be written: {error.strerror or error}") from error
    return name


@contextmanager
def allowed() -> Iterator[None]:
    """MLflow opens file stores, tells nobody that it is used, and prints no traceback of what it passes over."""
    before, silent = {name: os.environ.get(name) for name in ALLOWED}, logging.root.manager.disable
    os.environ.update(ALLOWED)
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(silent)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _check_absent(race: RaceInfo, out: Path) -> None:
    """Raise ConfigError if the race is in that store, also as a deleted experiment."""
    from mlflow.entities import ViewType
    from mlflow.store.tracking.file_store import FileStore

    for one in _experiments(FileStore(str(out)), ViewType.ALL, out):
        if one.tags.get(RACE_TAG) == race.id:
            where = f"as a deleted experiment, in {out.name}/.trash" if one.lifecycle_stage == "deleted" else "already"
            raise ConfigError(f"race {race.id} is in {shown(str(out))} {where}: experiment {shown(one.name)}")


def _experiments(files: Any, view: int, out: Path) -> list[Any]:
    """All experiments of a file store that somebody else may have written. Raises ConfigError where MLflow cannot read it."""
    found: list[Any] = []
    token = None
    try:
        while True:
            page = files.search_experiments(view, page_token=token)
            found += page
            token = page.token
            if not token:
                return found
    except Exception as error:  # whatever stands in its files
        raise ConfigError(f"MLflow cannot read {shown(str(out))}: {type(error).__name__}, {shown(str(error))}") from error


def _written(store: Reader, race: RaceInfo, name: str, places: tuple[Path, Path]) -> Path:
    """Write the experiment into a file store at the first place, which will be moved to the second; returns its folder."""
    from mlflow.entities import ExperimentTag
    from mlflow.store.tracking.file_store import FileStore

    work, out = places
    files = FileStore(str(work), out.as_uri())
    tags = {RACE_TAG: race.id, "catalyst.title": race.title, "catalyst.command": repeat_command(race.config)}
    experiment = files.create_experiment(name, tags=[ExperimentTag(key, value) for key, value in tags.items()])
    names = told.run_names(race)
    for run in race.runs:
        _write_run(files, experiment, (race, run, names[run.id]), store.events(run.id), work)
    return work / experiment


def _write_run(
    files: Any, experiment: str, whose: tuple[RaceInfo, RunInfo, str], events: Sequence[StoredEvent], work: Path
) -> None:
    from mlflow.entities import Metric, Param, RunStatus, RunTag

    race, run, name = whose
    began, ended = told.began(race, run), told.ended(race, run, events)
    tags = [RunTag(key, value) for key, value in _tags(race, run).items()]
    made = files.create_run(experiment, "catalyst", _ms(began), tags, name).info
    files.log_batch(made.run_id, [], [Param(key, str(value)) for key, value in told.settings(run).items()], [])
    curves = [Metric(point.name, point.value, _ms(point.time), point.step) for point in told.points(events)]
    last = [Metric(key, value, _ms(ended), run.step) for key, value in told.finals(run).items()]
    numbers = curves + last
    for start in range(0, len(numbers), AT_ONCE):
        files.log_batch(made.run_id, numbers[start : start + AT_ONCE], [], [])
    changed = [{"step": step, "time": time, "what": what} for step, time, what in told.changes(events)]
    folder = work / experiment / made.run_id / files.ARTIFACTS_FOLDER_NAME
    for file, content in {"ledger.json": run.ledger, "changes.json": changed}.items():
        if content:
            (folder / file).write_text(json.dumps(finite(content), indent=2) + "\n", encoding="utf-8")
    files.update_run_info(made.run_id, RunStatus.from_string(STATUS[run.state]), _ms(ended), name)


def _tags(race: RaceInfo, run: RunInfo) -> dict[str, str]:
    """What is known of a run beside its numbers. `mlflow.source.*` is what MLflow's own pages show."""
    tags = {RACE_TAG: race.id, "catalyst.run": run.id, "catalyst.label": run.label, "catalyst.state": run.state}
    tags |= {"catalyst.parent": run.parent or "", "catalyst.reason": run.reason}
    tags |= {"mlflow.source.name": repeat_command(race.config), "mlflow.source.type": "LOCAL"}
    written_by = versions()
    tags |= {"catalyst.written_by": str(written_by["catalyst"]), "catalyst.written_by.commit": str(written_by["commit"] or "")}
    return {name: value for name, value in tags.items() if value}


def _ms(seconds: float) -> int:
    return round(1000 * seconds)
