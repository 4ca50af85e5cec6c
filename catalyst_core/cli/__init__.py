"""The command line: `python -m catalyst_core COMMAND`. Exit codes: 0 done, 1 a contender failed, 2 wrong input."""

import sys

from catalyst_core.cli.parser import build_parser
from catalyst_core.errors import UsageError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; wrong input is one sentence on standard error and exit code 2."""
    chosen = build_parser().parse_args(arguments)
    try:
        return chosen.command(chosen)
    except UsageError as error:
        print(f"catalyst: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 0


__all__ = ["main"]
