"""Which tensors of a file are the network's: trainers put keys around a state dict and prefixes before its names."""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from catalyst_core.errors import NetworkError, shown

FIRST = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params")  # where several fit, in this order
DEEP = 2  # keys around a state dict
COUNTED = 3  # names that a sentence lists

Table = dict[str, Tensor]


def fitting(content: Mapping[Any, Any], wanted: Table, head: Collection[str], file: str) -> tuple[Table, list[str]]:
    """The tensors in a file that fit a network of these names and shapes best, by its names; and sentences about others that fit.

    `head`: names that need not be there, and may be of other shapes. Raises `NetworkError` where there is no tensor at all.
    """
    misfit = partial(_misfit, wanted=wanted, head=head)
    found = [(key, min(_unwrapped(table), key=misfit)) for key, table in _tables(content)]
    if not found:
        keys = f"its keys are {listed([str(key) for key in content])}" if content else "it is an empty dictionary"
        raise NetworkError(f"weights: {file} holds no tensors under names of a network: {keys}")
    chosen, state = min(found, key=lambda one: misfit(one[1]))
    fit = [key for key, table in found if not misfit(table)[0]]
    others = [key for key in fit if key != chosen]
    also = f"the weights under {shown(chosen)} are loaded; {listed(others)} in {file} would fit too"
    return dict(state), [also] if others else []


def listed(names: list[str]) -> str:
    """The first few, for a sentence."""
    return ", ".join(shown(name) for name in names[:COUNTED]) + (", ..." if len(names) > COUNTED else "")


def is_count(name: str) -> bool:
    """Whether this is BatchNorm's number of batches, which files of before 2018 lack."""
    return name.endswith("num_batches_tracked")


def _tables(content: Mapping[Any, Any], key: str = "", deep: int = DEEP) -> Iterator[tuple[str, Table]]:
    """Every mapping in a file that has tensors, with its key: the file itself, then the usual keys, then any other."""
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor) and not value.is_nested}
    if tensors:
        yield key, tensors
    inner = {str(name): value for name, value in content.items() if isinstance(value, Mapping)} if deep else {}
    for name in sorted(inner, key=lambda one: FIRST.index(one) if one in FIRST else len(FIRST)):
        yield from _tables(inner[name], name, deep - 1)


def _unwrapped(table: Table) -> Iterator[Table]:
    """The table, and what is left of it as long as all names begin with the same word (`module.`, `_orig_mod.`, `model.`)."""
    yield table
    while len(words := {name.partition(".")[0] for name in table}) == 1 and all("." in name for name in table):
        table = {name.removeprefix(f"{min(words)}."): value for name, value in table.items()}
        yield table


def _misfit(table: Table, wanted: Table, head: Collection[str]) -> tuple[bool, int, int, int]:
    """The smaller, the better: whether it does not fit, how many names are missing, of another shape, and minus its size."""
    needed = [name for name in wanted if name not in head and not is_count(name)]
    there = [name for name in needed if name in table]
    missing, misshapen = len(needed) - len(there), sum(table[name].shape != wanted[name].shape for name in there)
    return bool(missing or misshapen or table.keys() - wanted.keys()), missing, misshapen, -len(table)
