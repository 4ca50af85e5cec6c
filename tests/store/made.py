"""Processes, a race and events for tests of the store."""

from catalyst_core.config import RaceConfig
from catalyst_core.events import (
    CheckpointKept,
    FiltersMeasured,
    Finished,
    GroupsFound,
    RolledBack,
    StageStarted,
    StepLogged,
    pack,
)
from catalyst_core.store import Process

ME = Process(pid=1234, created=1000.0, host="here")
OTHER = Process(pid=1234, created=2000.0, host="here")  # the same pid, recycled


def config(**changes):
    """A race of three contenders."""
    methods = [{"name": name} for name in ("catalyst", "l1", "group_lasso")]
    return RaceConfig.build(**{"methods": methods, **changes})


def gone():
    """A race of what this machine does not have any more: the owner's method and network, a setting that is refused now."""
    data = {"name": "digits", "image_size": 16}
    return RaceConfig.described(methods=[{"name": "ridge"}], model="mine", data=data, title="before")


def logged(step, **changes):
    """Training numbers at a step."""
    numbers = dict.fromkeys(("epoch", "loss", "penalty", "strength", "learning_rate"), 0.5)
    return StepLogged(
        **{"step": step, "stage": "sparse", "seconds": 2.0, "accuracy": 0.9, "share_pruned": 0.25, **numbers, **changes}
    )


def keyed(step, **changes):
    """The same with the key that a worker gives it."""
    return logged(step, key=f"sparse:{step}", **changes)


def begun(stage="sparse", step=0, **changes):
    """A stage of a run of 80 steps begins."""
    return StageStarted(**{"step": step, "stage": stage, "steps": 40, "total_steps": 80, "key": f"{stage}:begin", **changes})


def kept(name, step, **changes):
    """A checkpoint that stays."""
    return CheckpointKept(
        **{"step": step, "stage": "sparse", "name": name, "reason": "asked for", "key": f"kept:{name}", **changes}
    )


def rolled_back(step, number=1, **changes):
    """Back to a step, with the key that a worker gives it."""
    said = {"stage": "sparse", "from_step": 99, "reason": "the loss was NaN", "key": f"back:{number}"}
    return RolledBack(step=step, **said | changes)


def looked(step, channels=4, **changes):
    """A look at the filters."""
    vector = pack([0.5] * channels)
    said = {"stage": "sparse", "magnitudes": vector, "margins": vector, "thresholds": (0.5,), "histogram": (1, 0), "zeros": 1}
    return FiltersMeasured(step=step, key=f"look:{step}", **said | changes)


def steps(store, run_id, kind="step"):
    """The steps of the visible events of one kind, in order."""
    return [one.event.step for one in store.events(run_id, kinds=[kind])]


FILES = {"pruned.pt": b"small", "checkpoints/cut.pt": b"whole", "checkpoints/other.pt": b"for a fork"}


def travelled(store, race=None):
    """A finished race whose first contender has a past with a roll-back's gap, a fork unless it is given, and files."""
    made = store.race(store.create_race(race or config(title="mine", methods=[{"name": "l1"}])))
    run = made.runs[0].id
    assert store.claim(run, ME, slots=1) == 0
    look = looked(3, histogram=(4,) + (0,) * 95)
    first = [GroupsFound(step=0, names=("a",), sizes=(4,), key="groups"), begun(), keyed(2, loss=float("nan")), look]
    store.append(run, [*first, kept("other", 4), kept("cut", 5, reason="before the cut")])
    both = [run] if race else [run, store.fork(run, "cut", "again")]
    assert race or store.claim(both[1], OTHER, slots=9) == 0
    for one in both:
        store.append(one, [Finished(step=80, ledger={"macs": 7, "validation": {"dense": 0.5}})])
    for name, content in FILES.items():
        path = store.run_folder(run) / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    dense = store.files / "dense" / f"{made.runs[0].config.dense_key()}.pt"
    dense.parent.mkdir()
    dense.write_bytes(b"dense")
    return store.race(made.id)
