"""How many images each class has in each split."""

import pandas as pd

from catalyst_core.data.report import Report


def balance_frame(report: Report) -> pd.DataFrame:
    """One row a class and split, in the order of the classes. Columns: class, split, images."""
    return pd.DataFrame(
        [
            {"class": name, "split": split.name, "images": split.counts[label]}
            for label, name in enumerate(report.classes)
            for split in report.splits
        ],
        columns=["class", "split", "images"],
    )
