"""What a race is, as validated, frozen data: the only border where settings are checked.

A *race* is several *contenders* (method, its settings, seed) on one data set and one network. Everything below this
package trusts what it is given. `RaceConfig.build(**fields)` turns pydantic's findings into one `ConfigError` sentence.
"""

from catalyst_core.config.data import AUGMENTATIONS, DataConfig
from catalyst_core.config.method import (
    EVIDENCE_SHARE,
    RAMP,
    RAMP_SHARE,
    Allocation,
    Magnitude,
    MethodConfig,
    Ramp,
    Recovery,
    Solver,
    parse_method,
)
from catalyst_core.config.race import ContenderConfig, RaceConfig, Schedule

__all__ = [
    "AUGMENTATIONS",
    "EVIDENCE_SHARE",
    "RAMP",
    "RAMP_SHARE",
    "Allocation",
    "ContenderConfig",
    "DataConfig",
    "Magnitude",
    "MethodConfig",
    "RaceConfig",
    "Ramp",
    "Recovery",
    "Schedule",
    "Solver",
    "parse_method",
]
