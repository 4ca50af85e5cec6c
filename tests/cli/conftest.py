"""Commands in this process; nothing is trained."""

import pytest

from catalyst_core.engine import launcher
from catalyst_core.store import open_store
from tests.owned import register


@pytest.fixture(autouse=True)
def _no_workers(monkeypatch):
    """Whoever looks at a store starts workers for what is queued there: not here."""
    monkeypatch.setattr(launcher._children, "start", lambda store, run_id: None)


@pytest.fixture
def store(catalyst_home):
    """A store of each test's own, where Catalyst looks by default."""
    opened = open_store()
    yield opened
    opened.close()


@pytest.fixture
def printing(catalyst_home):
    """A network that prints, when it is imported, built and run."""
    code = (
        "from torch import nn\n"
        "print('imported')\n"
        "class Printing(nn.Sequential):\n"
        "    def __init__(self, classes):\n"
        "        print('built')\n"
        "        super().__init__(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, classes))\n"
        "    def forward(self, x):\n"
        "        print('run')\n"
        "        return super().forward(x)\n"
    )
    register(catalyst_home, "printing_network", code, ("Printing",))
