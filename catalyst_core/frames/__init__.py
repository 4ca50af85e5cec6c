"""Events -> tidy tables: one view of a race, and functions that turn it into data frames. Pandas and numpy only."""

from catalyst_core.frames.audited import correlation_frame, flip_frame, gap_frame, survival_frame
from catalyst_core.frames.filters import density_frame, filters_frame, steps
from catalyst_core.frames.ledger import ledger_frame, ledger_summary
from catalyst_core.frames.reports import AuditReport, audit_race, audit_run
from catalyst_core.frames.tables import changes_frame, curves_frame, status_frame, why_empty, widths_frame
from catalyst_core.frames.view import BIN_CENTRES, BIN_EDGES, RaceView, bin_of, unpack

__all__ = [
    "BIN_CENTRES",
    "BIN_EDGES",
    "AuditReport",
    "RaceView",
    "audit_race",
    "audit_run",
    "bin_of",
    "changes_frame",
    "correlation_frame",
    "curves_frame",
    "density_frame",
    "filters_frame",
    "flip_frame",
    "gap_frame",
    "ledger_frame",
    "ledger_summary",
    "status_frame",
    "steps",
    "survival_frame",
    "unpack",
    "why_empty",
    "widths_frame",
]
