"""The columns that say whose row it is, for every frame: categoricals, so that they cost a byte a row."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from catalyst_core.frames.view import RaceView, RunRecord


def categorical(categories: Sequence[object], codes: np.ndarray) -> pd.Categorical:
    """Codes -> a column; the categories keep their order, which is the order of the race."""
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype=object))


def whose(view: RaceView, records: Sequence[RunRecord], rows: Sequence[int]) -> dict[str, pd.Categorical | np.ndarray]:
    """run, label, method and seed, each record repeated for its number of rows."""
    configs = [record.info.config for record in records]
    labels = list(view.labels)
    methods = list(dict.fromkeys(run.config.method.name for run in view.race.runs))
    runs = list(view.records)

    def column(categories: list[str], values: list[str]) -> pd.Categorical:
        codes = np.array([categories.index(value) for value in values], dtype=int)
        return categorical(categories, np.repeat(codes, rows))

    return {
        "run": column(runs, [record.info.id for record in records]),
        "label": column(labels, [config.method.label for config in configs]),
        "method": column(methods, [config.method.name for config in configs]),
        "seed": np.repeat(np.array([config.seed for config in configs], dtype=int), rows),
    }


def split(frame: pd.DataFrame, column: str = "label") -> dict[str, pd.DataFrame]:
    """The rows of each value of a column, in the order of their first; not copied where they follow each other."""
    if frame.empty:
        return {}
    codes, values = pd.factorize(frame[column])
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    if len(starts) > len(values):
        return {value: frame[codes == code] for code, value in enumerate(values)}
    ends = np.append(starts[1:], len(frame))
    return {values[codes[start]]: frame.iloc[start:end] for start, end in zip(starts, ends, strict=True)}
