"""The order in which waiting dispatches are launched: round robin over tenants, oldest first within one.

Each dispatch stands in a line: those that are launched from the same task definition. A line can be closed,
because launches from it are refused for now; its dispatches keep their places while others go.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")
Line = OrderedDict[str, tuple[int, T]]  # dispatch id -> when it came, and the item


@dataclass(frozen=True, kw_only=True)
class Position:
    """A dispatch's place among those that wait: `position` 1 is next."""

    position: int
    of: int


def position_of(waiting: Mapping[str, int], tenant_id: str, rank: int) -> Position:
    """How many launches until a dispatch is launched, itself included.

    `waiting`: how many each tenant has; `rank`: how many of its own tenant's are older. For each turn of its
    tenant every other one has a turn.
    """
    others = (min(size, rank + 1) for tenant, size in waiting.items() if tenant != tenant_id)
    position = rank + 1 + sum(others)
    return Position(position=position, of=max(position, sum(waiting.values())))


class FairQueue(Generic[T]):
    """Holds each dispatch once. Not thread-safe; its owner locks."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, dict[str, Line[T]]] = OrderedDict()
        self._sizes: Counter[str] = Counter()  # of the lines, over all tenants
        self._arrivals = count()

    def __len__(self) -> int:
        return self._sizes.total()

    def sizes(self) -> Mapping[str, int]:
        """How many stand in each line."""
        return self._sizes

    def put(self, tenant_id: str, dispatch_id: str, item: T, line: str = "") -> T | None:
        """Add a dispatch; one that is already here keeps its place and gets the new item. Returns the old."""
        waiting = self._tenants.setdefault(tenant_id, {}).setdefault(line, OrderedDict())
        old = waiting.get(dispatch_id)
        waiting[dispatch_id] = (next(self._arrivals) if old is None else old[0], item)
        if old is None:
            self._sizes[line] += 1
            return None
        return old[1]

    def take(self, is_open: Callable[[str], bool] = lambda line: True) -> T | None:
        """The next dispatch: of the tenant whose turn it is, the oldest in an open line.

        That tenant then goes last. A tenant that has nothing in an open line keeps its turn.
        """
        open_lines = {line for line in self._sizes if is_open(line)}
        if not open_lines:
            return None
        for tenant_id, lines in self._tenants.items():
            found = [line for line in lines if line in open_lines]
            if found:
                oldest = min(found, key=lambda line: next(iter(lines[line].values()))[0])
                item = self._pop(tenant_id, oldest, newest=False)
                if tenant_id in self._tenants:
                    self._tenants.move_to_end(tenant_id)
                return item
        return None

    def shed(self, lines: Collection[str], most: int) -> list[T]:
        """Take out up to `most` that stand in these lines: the newest of the tenant that has most of them."""
        found = {
            tenant_id: sum(len(theirs[line]) for line in lines if line in theirs)
            for tenant_id, theirs in self._tenants.items()
        }
        tenant_id = max(found, key=lambda each: found[each], default=None)
        if tenant_id is None:
            return []
        shed: list[T] = []
        for line in [each for each in self._tenants[tenant_id] if each in lines]:
            while len(shed) < most and line in self._tenants.get(tenant_id, {}):
                shed.append(self._pop(tenant_id, line, newest=True))
        return shed

    def _pop(self, tenant_id: str, line: str, *, newest: bool) -> T:
        lines = self._tenants[tenant_id]
        _, (_, item) = lines[line].popitem(last=newest)
        if not lines[line]:
            del lines[line]
        if not lines:
            del self._tenants[tenant_id]
        self._sizes[line] -= 1
        if not self._sizes[line]:
            del self._sizes[line]
        return item

    def items(self) -> list[T]:
        return [item for line in self._lines() for _, item in line.values()]

    def ids(self) -> dict[str, list[str]]:
        """The dispatches that wait, by tenant."""
        return {
            tenant_id: [dispatch_id for line in lines.values() for dispatch_id in line]
            for tenant_id, lines in self._tenants.items()
        }

    def _lines(self) -> list[Line[T]]:
        return [line for lines in self._tenants.values() for line in lines.values()]
