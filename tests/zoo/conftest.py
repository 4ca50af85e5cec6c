"""Each network of the zoo in turn."""

import pytest

from tests.threads import one_thread  # noqa: F401
from tests.zoo.networks import ZOO
from tests.zoo.specimen import Specimen


@pytest.fixture(scope="session", params=ZOO)
def specimen(request: pytest.FixtureRequest) -> Specimen:
    """Every network in turn; pytest runs all tests of one before it builds the next."""
    return Specimen(request.param)
