"""`python -m catalyst_core`: the command line."""

import sys

from catalyst_core.cli import main

sys.exit(main())
