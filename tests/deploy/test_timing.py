"""Turns and medians on a clock that is made up; sentences where nothing was gained."""

import pytest

from catalyst_core.deploy import timing
from catalyst_core.deploy.timing import Latency, slower, take_turns


class Clock:
    """Moves only when somebody works."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def perf_counter(self):
        return self.now

    def worker(self, name, *seconds):
        """Takes these many seconds in turn, the last for good."""
        left = list(seconds)

        def work():
            self.calls.append(name)
            self.now += left.pop(0) if len(left) > 1 else left[0]

        return work


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(timing, "time", made)
    return made


def test_networks_take_turns_to_and_fro_after_a_warm_up(clock):
    found = take_turns({"a": clock.worker("a", 100, 100, 3, 1, 2, 9, 2), "b": clock.worker("b", 5.0)}, 0.0)
    assert found == {"a": 2.0, "b": 5.0}  # of 3, 1, 2, 9, 2
    assert "".join(clock.calls) == "abab" + "abbaabbaab"


@pytest.mark.parametrize(("seconds", "turns"), [(0.0, 5), (40.0, 20), (1e6, 100)])
def test_as_many_turns_as_fit(clock, seconds, turns):
    take_turns({"a": clock.worker("a", 1.5), "b": clock.worker("b", 0.5)}, seconds)
    assert clock.calls.count("a") == clock.calls.count("b") == 2 + turns


def test_nothing_to_time_takes_no_time(clock):
    assert take_turns({}, 1.0) == {}


def test_a_sentence_for_every_place_where_it_is_not_faster():
    found = [
        Latency("PyTorch", 1, "dense", 2.0),
        Latency("PyTorch", 1, "pruned", 2.0),
        Latency("PyTorch", 64, "dense", 20.0),
        Latency("PyTorch", 64, "pruned", 10.0),
        Latency("onnxruntime", 64, "dense", 5.0),
        Latency("onnxruntime", 64, "pruned", 6.25),
    ]
    assert slower(found, "pruned", "dense", "Pruning") == [
        "Pruning did not make it faster in PyTorch with 1 image at a time: 2 ms, and 2 ms before",
        "Pruning did not make it faster in onnxruntime with 64 images at a time: 6.25 ms, and 5 ms before",
    ]
    assert slower(found, "rounded", "pruned", "Rounding") == []
    assert slower(found[1::2], "pruned", "dense", "Pruning") == []  # nothing to compare with
