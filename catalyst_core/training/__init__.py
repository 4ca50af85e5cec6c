"""One contender from start to end; `train` tells everything through a callable and knows no store and no process."""

from catalyst_core.training.checkpoint import load_pruned
from catalyst_core.training.files import Folders
from catalyst_core.training.stages import train

__all__ = ["Folders", "load_pruned", "train"]
