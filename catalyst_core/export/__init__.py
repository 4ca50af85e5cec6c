"""A race as files, without a browser: figures for paper and screen, their numbers, the ledger, and how to run it again."""

from catalyst_core.export.archive import bundle_zip, write_bundle, write_zip
from catalyst_core.export.bundle import figure_bytes
from catalyst_core.export.ledger import ledger_csv, ledger_latex, ledger_latex_short, ledger_markdown
from catalyst_core.export.repeat import repeat_command, versions

__all__ = [
    "bundle_zip",
    "figure_bytes",
    "ledger_csv",
    "ledger_latex",
    "ledger_latex_short",
    "ledger_markdown",
    "repeat_command",
    "versions",
    "write_bundle",
    "write_zip",
]
