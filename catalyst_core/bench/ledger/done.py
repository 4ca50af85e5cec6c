"""What a suite has brought so far, as a JSON file that is there whole or not at all."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from catalyst_core.whole import writing


@dataclass
class Done:
    """Races, audits and timings that need not be done again."""

    path: Path
    started: str = ""
    races: dict[str, dict[str, str]] = field(default_factory=dict)  # title of a race -> its id and commit
    audits: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    timings: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # of a task

    @classmethod
    def at(cls, path: Path) -> "Done":
        """What is there, or a beginning."""
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"started": now()}
        return cls(path, **known)

    def save(self) -> None:
        """Put it into its file."""
        content = {name: value for name, value in asdict(self).items() if name != "path"}
        with writing(self.path) as stream:
            stream.write(json.dumps(content, indent=1).encode())


def now() -> str:
    """The time, as reports say it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
