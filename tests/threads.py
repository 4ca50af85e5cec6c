"""A fixture for tests that train or run small networks."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Networks this small train fastest on one thread, and two runs of one configuration add up in the same order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
