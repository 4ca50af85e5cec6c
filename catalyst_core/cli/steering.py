"""`set`, `pause`, `continue`, `stop`, `fork` and `priority`: what changes a race that has been started."""

import argparse
import math

from catalyst_core import changes
from catalyst_core.cli.naming import Named, checkpoints, me, named, one_run
from catalyst_core.cli.racing import follow
from catalyst_core.cli.report import say
from catalyst_core.engine import launcher
from catalyst_core.errors import ConfigError, RunFinishedError, shown
from catalyst_core.events import Command, Value

FORMS = {"pause": "asked to pause", "resume": "asked to go on", "stop": "asked to stop"}


def change(options: argparse.Namespace) -> int:
    """Give a setting of the live contenders another value."""
    found = named(options)
    found.check_live()
    name, value = options.name, _value(options.value)
    if name not in changes.NAMES:
        raise ConfigError(f"{shown(name)} cannot be changed while a race runs: one of {', '.join(changes.NAMES)}")
    labels = found.race.labels
    if options.contender not in (None, *labels):
        raise ConfigError(f"race {found.race.id} has no contender {shown(options.contender)}: one of {', '.join(labels)}")
    sent = _send(found, Command(name=name, value=value, who=me()), options.contender)
    if not sent:
        raise RunFinishedError(f"{options.contender} of {found.text} has ended: it takes no more commands")
    record = {"race": found.race.id, "name": name, "value": value, "contender": options.contender, "sent": sent}
    say(record, f"{found.text}: {name} {options.value} for {_contenders(sent)}, at their next step", as_json=options.json)
    return 0


def pause(options: argparse.Namespace) -> int:
    """Ask the live contenders to pause."""
    return _ask(options, "pause", "paused")


def go_on(options: argparse.Namespace) -> int:
    """Ask the paused contenders to go on."""
    return _ask(options, "resume", "continued")


def stop(options: argparse.Namespace) -> int:
    """Ask the live contenders to stop."""
    return _ask(options, "stop", "stopped")


def fork(options: argparse.Namespace) -> int:
    """Start a new contender from a kept checkpoint, and follow its race unless --detach."""
    found = named(options)
    source = one_run(found)
    settings = dict(_assignment(text) for text in options.set)
    checkpoint = _checkpoint(found, source.id, options.checkpoint)
    new = launcher.fork(found.store, source.id, checkpoint, options.name, settings, who=me())
    if not options.detach:
        return follow(found.store, found.race.id, as_json=options.json)
    record = {"race": found.race.id, "run": new, "parent": source.id, "checkpoint": checkpoint, "name": options.name}
    say(record, f"run {new} goes on from checkpoint {checkpoint} of run {source.id}", as_json=options.json)
    return 0


def priority(options: argparse.Namespace) -> int:
    """Move queued contenders forward or back in the queue."""
    found = named(options)
    found.check_live()
    queued = [run for run in found.runs if run.state == "queued"]
    if not queued and found.run is None:
        raise ConfigError(f"race {found.race.id} has no queued contender, and only those have a priority to change")
    for run in queued or found.runs:
        found.store.set_priority(run.id, options.priority)
    record = {"race": found.race.id, "priority": options.priority, "runs": [run.id for run in queued]}
    say(record, f"{found.text}: priority {options.priority} for {_contenders(len(queued))}", as_json=options.json)
    return 0


def _ask(options: argparse.Namespace, name: str, counted: str) -> int:
    found = named(options)
    found.check_live()
    sent = _send(found, Command(name=name, who=me()))  # type: ignore[arg-type]  # one of FORMS
    say({"race": found.race.id, counted: sent}, f"{found.text}: {_contenders(sent)} {FORMS[name]}", as_json=options.json)
    return 0


def _send(found: Named, command: Command, label: str | None = None) -> int:
    """To how many it was sent. Raises ConfigError for a value that is not possible, RunFinishedError."""
    if found.run is None:
        return launcher.send_race(found.store, found.race.id, command, label)
    if command.name in changes.NAMES:
        changes.checked(found.run.config, command.name, command.value)
    found.store.send(found.run.id, command)
    return 1


def _value(text: str) -> Value:
    """A number where it is one, else the word, which the setting will judge."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def _assignment(text: str) -> tuple[str, Value]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"--set {shown(text)} is not of the form NAME=VALUE")
    return name.strip(), _value(value.strip())


def _checkpoint(found: Named, run_id: str, text: str) -> str:
    """The kept checkpoint of that name, or the only one whose name begins so; else the text, which is then refused."""
    names = [kept.name for kept in checkpoints(found.store, found.race)[run_id]]
    begun = [name for name in names if text and name.startswith(text)]
    return begun[0] if len(begun) == 1 else text


def _contenders(count: int) -> str:
    return f"{count} contender{'s' * (count != 1)}"
