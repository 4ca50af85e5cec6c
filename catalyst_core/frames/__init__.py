"""Events -> tidy tables: one view of a race, and functions that turn it into data frames. Pandas and numpy only."""

from catalyst_core.frames.audited import correlation_frame, critical_noise, flip_frame, gap_frame, survival_frame
from catalyst_core.frames.filters import density_frame, filters_frame, look, steps
from catalyst_core.frames.ledger import ledger_frame, ledger_summary
from catalyst_core.frames.reports import AuditReport, audit_race, audit_run
from catalyst_core.frames.tables import changes_frame, curves_frame, status_frame, why_empty, widths_frame
from catalyst_core.frames.view import BIN_CENTRES, BIN_EDGES, RaceView, bin_of, unpack
from catalyst_core.frames.whatif import budgets_frame, rescale_frame, stays, whatif_frame

__all__ = [
    "BIN_CENTRES",
    "BIN_EDGES",
    "AuditReport",
    "RaceView",
    "audit_race",
    "audit_run",
    "bin_of",
    "budgets_frame",
    "changes_frame",
    "correlation_frame",
    "critical_noise",
    "curves_frame",
    "density_frame",
    "filters_frame",
    "flip_frame",
    "gap_frame",
    "ledger_frame",
    "ledger_summary",
    "look",
    "rescale_frame",
    "status_frame",
    "stays",
    "steps",
    "survival_frame",
    "unpack",
    "whatif_frame",
    "why_empty",
    "widths_frame",
]
