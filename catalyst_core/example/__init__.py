"""A finished race that ships with Catalyst, so that every page has something true to show before the first run.

README.md beside this file says how it was made, and how it is made again.
"""

import json
import os
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from catalyst_core.store import Store
from catalyst_core.store.archive import RACE_JSON

RACE_ID = "example1"  # no race that is started has it: theirs are hexadecimal
FILE = Path(__file__).with_name("digits.race")
COMMAND = 'python -m catalyst_core race --title "Example: five methods on digits"'
KEY = "example"  # under which a store remembers that it had it


def is_example(race_id: str) -> bool:
    """Whether a race is the one that ships with Catalyst."""
    return race_id == RACE_ID


def adopt(store: Store) -> bool:
    """Take the example into a store that has never had a race, once, unless CATALYST_EXAMPLE is 0. Raises StoreError."""
    return os.environ.get("CATALYST_EXAMPLE") != "0" and store.adopt_first(FILE, KEY)


@lru_cache(maxsize=1)
def provenance() -> dict[str, Any]:
    """Where it comes from: command, packed (UTC), versions, note."""
    with zipfile.ZipFile(FILE) as packed:
        return dict(json.loads(packed.read(RACE_JSON))["provenance"])
