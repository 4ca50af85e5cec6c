"""From labels to couplings: which classes of channels make up a group, what silences and reads them, what forbids a cut."""

# C = channels of a group

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from torch import Tensor, nn

from catalyst_core.coupling.book import Book, Read
from catalyst_core.coupling.classes import Classes
from catalyst_core.coupling.layers import is_grouped, outputs
from catalyst_core.coupling.plain import Coupling, Producer, Slot

Rows = dict[int, list[int]]  # root of a class -> rows of one layer
UNREAD = "no layer reads its channels"
RIGID = "every channel of it is the only one of some layer, and a cut keeps at least one of every layer"
ALONE = "it is one unit, and a cut keeps at least one of every group"
UNMADE = "some of its channels do not come out of a convolution, a linear layer or a BatchNorm"


@dataclass
class _Sources:
    """What a class of channels needs to vanish, and what is known of the ways to its readers."""

    layers: set[str] = field(default_factory=set)
    unscaled: str | None = None
    moved: list[str] = field(default_factory=list)


class Reading:
    """Sorts what a trace has written into its book."""

    def __init__(self, model: nn.Module, book: Book, ignored: set[str]) -> None:
        self.modules = dict(model.named_modules())
        self.order = {name: place for place, name in enumerate(self.modules)}
        self.book = book
        self.classes = book.classes
        self.ignored = ignored

    def couplings(self) -> list[Coupling]:
        """In the order of the modules."""
        found = [self._coupling(roots) for roots in self._families()]
        return sorted(found, key=lambda one: self.order[one.name])

    # tables

    @cached_property
    def made(self) -> dict[str, Rows]:
        """Convolution or linear layer -> its rows by class."""
        return {name: self._by_root(range(first, first + outputs(self.modules[name]))) for name, first in self.book.first.items()}

    @cached_property
    def owned(self) -> dict[str, Rows]:
        """BatchNorm or PReLU -> its rows by class."""
        return {name: self._by_root(_whole(labels)) for name, labels in self.book.rows.items()}

    @cached_property
    def columns(self) -> dict[str, Rows]:
        """Reading layer -> the columns of its weight by class; of a grouped convolution, the rows that go with them."""
        found: dict[str, Rows] = {}
        for read in self.book.reads:
            if is_grouped(self.modules[read.layer]):
                found[read.layer] = self.made[read.layer]
                continue
            mine = found.setdefault(read.layer, {})
            for root, places in self._by_root(_whole(read.columns)).items():
                mine[root] = sorted({*mine.get(root, []), *places})
        return found

    @cached_property
    def sources(self) -> dict[int, _Sources]:
        """Class -> its sources; classes that nothing reads are missing."""
        found: dict[int, _Sources] = defaultdict(_Sources)
        for read in self.book.reads:
            for root in self._by_root(_whole(read.columns)):
                self._add_source(read, root, found[root])
        return dict(found)

    def _add_source(self, read: Read, root: int, sources: _Sources) -> None:
        makers = [layer for layer in read.story if root in self.made.get(layer, {}) or root in self.owned.get(layer, {})]
        if not makers:
            sources.moved.append(UNMADE)
        for layer in makers:
            path = read.story[layer]
            sources.layers.add(layer)
            sources.unscaled = sources.unscaled or path.unscaled
            sources.moved.extend(path.moved)

    @cached_property
    def refusals(self) -> dict[int, str]:
        """Class -> why it cannot be cut."""
        found = self.classes.refusals()
        for rows in self.made.values():
            for root in rows:
                sources = self.sources.get(root)
                if sources is None:
                    found.setdefault(root, UNREAD)
                elif UNMADE in sources.moved:
                    found.setdefault(root, UNMADE)
        for name in self.ignored & self.made.keys():
            found |= dict.fromkeys(self.made[name], "it was to be ignored")
        return found

    @cached_property
    def suspects(self) -> dict[int, list[str]]:
        """Class -> what may keep its channels from being cut."""
        return self.classes.suspects()

    # groups

    def _families(self) -> Iterable[list[int]]:
        """The classes of each group: those that share a layer. Grouped convolutions follow what is in front of them."""
        families = Classes()
        roots = sorted({root for rows in self.made.values() for root in rows})
        place = {root: families.new(1) for root in roots}
        plain = {name: rows for name, rows in self.made.items() if not is_grouped(self.modules[name])}
        covered = {root for rows in plain.values() for root in rows}
        for name, rows in self.made.items():
            families.unite(place[root] for root in rows if name in plain or root not in covered)
        members: dict[int, list[int]] = defaultdict(list)
        for root in roots:
            members[families.root(place[root])].append(root)
        return members.values()

    def _coupling(self, roots: list[int]) -> Coupling:
        """Channels in the order of the rows of the layers that make them; those that have to stay are left out."""
        open_roots = [root for root in roots if root not in self.refusals]
        chosen = set(open_roots or roots)
        layers = sorted((name for name, rows in self.made.items() if chosen & rows.keys()), key=self.order.__getitem__)
        ordered = sorted(
            chosen,
            key=lambda root: next((at, self.made[name][root][0]) for at, name in enumerate(layers) if root in self.made[name]),
        )
        channel = {root: index for index, root in enumerate(ordered)}
        sources = [self.sources[root] for root in ordered if root in self.sources]
        doubts = [
            *(one for source in sources for one in source.moved),
            *(one for root in ordered for one in self.suspects.get(root, [])),
        ]
        coupling = Coupling(
            layers[0],
            len(ordered),
            tuple(self._producer(name, channel) for name in self._sorted({one for source in sources for one in source.layers})),
            tuple(self._slot(name, rows, channel) for name, rows in self._touched({**self.made, **self.owned}, chosen)),
            tuple(self._slot(name, rows, channel) for name, rows in self._touched(self.columns, chosen)),
            self._refused(ordered),
            next((source.unscaled for source in sources if source.unscaled), None),
            tuple(dict.fromkeys(doubts)),
        )
        rigid = not coupling.refused and len(coupling.sole) == coupling.size
        return replace(coupling, refused=RIGID) if rigid else coupling

    def _refused(self, ordered: list[int]) -> str | None:
        """Why none of these classes can go, or the only one."""
        return self.refusals.get(ordered[0]) or (ALONE if len(ordered) == 1 else None)

    def _producer(self, name: str, channel: dict[int, int]) -> Producer:
        """Only the rows of those channels that it is a source of."""
        rows = self.owned.get(name) or self.made[name]
        mine = {root: rows[root] for root in channel if root in rows and name in self._layers_of(root)}
        slot = self._slot(name, mine, channel)
        return Producer(slot.module, slot.rows, slot.channels, self.book.behind.get(name))

    def _layers_of(self, root: int) -> set[str]:
        return self.sources[root].layers if root in self.sources else set()

    def _touched(self, tables: dict[str, Rows], chosen: set[int]) -> list[tuple[str, Rows]]:
        return [(name, tables[name]) for name in self._sorted(name for name, rows in tables.items() if chosen & rows.keys())]

    def _sorted(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=self.order.__getitem__)

    def _slot(self, name: str, rows: Rows, channel: dict[int, int]) -> Slot:
        pairs = sorted((row, channel[root]) for root in channel if root in rows for row in rows[root])
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return Slot(name, table[:, 0], table[:, 1])

    def _by_root(self, labels: Iterable[int]) -> Rows:
        rows: Rows = {}
        for place, label in enumerate(labels):
            if label >= 0:
                rows.setdefault(self.classes.root(label), []).append(place)
        return rows


def _whole(labels: Tensor) -> list[int]:
    return [int(label) for label in labels.tolist()]
