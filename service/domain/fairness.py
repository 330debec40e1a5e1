"""The order in which waiting dispatches are launched: round robin over tenants, oldest first within one."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Position:
    """A dispatch's place among those that wait: `position` 1 is next."""

    position: int
    of: int


class FairQueue(Generic[T]):
    """Holds each dispatch once. Not thread-safe; its owner locks."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, OrderedDict[str, T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, tenant_id: str, dispatch_id: str, item: T) -> T | None:
        """Add a dispatch; one that is already here keeps its place and gets the new item. Returns the old."""
        waiting = self._tenants.setdefault(tenant_id, OrderedDict())
        old = waiting.get(dispatch_id)
        waiting[dispatch_id] = item
        if old is None:
            self._size += 1
        return old

    def take(self) -> T | None:
        """The next dispatch: of the tenant whose turn it is, the oldest; that tenant then goes last."""
        if not self._tenants:
            return None
        tenant_id, waiting = self._tenants.popitem(last=False)
        _, item = waiting.popitem(last=False)
        if waiting:
            self._tenants[tenant_id] = waiting
        self._size -= 1
        return item

    def items(self) -> list[T]:
        return [item for waiting in self._tenants.values() for item in waiting.values()]

    def position(self, tenant_id: str, dispatch_id: str) -> Position | None:
        """How many launches until this one, itself included; None if it is not here."""
        waiting = self._tenants.get(tenant_id)
        if waiting is None or dispatch_id not in waiting:
            return None
        rank = list(waiting).index(dispatch_id)
        before = True
        count = 0
        for other, theirs in self._tenants.items():
            if other == tenant_id:
                before = False
                count += rank + 1
            else:
                count += min(len(theirs), rank + 1 if before else rank)
        return Position(position=count, of=self._size)
