"""Where analyses of runs are kept: in the run's folder, so that they go with the race. What they are: `engine.analysis`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from catalyst_core.store.base import RunInfo


def analysis_path(files: Path, run_id: str, kind: str, ending: str = "json") -> Path:
    """The file of one kind of analysis of one run, which may be missing. Nothing is made."""
    return files / "runs" / run_id / f"analysis-{kind}.{ending}"


def finished_results(files: Path, runs: Iterable[RunInfo], kind: str) -> dict[str, dict[str, Any]]:
    """Run id -> result, of the runs that have one; that of a cut which was withdrawn since is none."""
    found = {}
    for run in runs:
        try:
            content = json.loads(analysis_path(files, run.id, kind).read_text(encoding="utf-8"))
            if content["state"] == "done" and content["revision"] == run.revision and content["result"]:
                found[run.id] = content["result"]
        except (OSError, ValueError, TypeError, KeyError):  # none yet, or one of another version
            continue
    return found
