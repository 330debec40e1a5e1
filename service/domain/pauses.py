"""When launches are refused: the lines from which nothing is launched for a while.

A refused RunTask takes of the account's rate like any other. Thousands of dispatches that wait for capacity,
each tried again and again, would leave nothing of it to those for whom there is capacity. So the first
refusal closes the line (a task definition family: one agent, or one tenant's in persistent mode); after a
pause one dispatch tries, and only when it is launched do the others follow.

What the whole account lacks (its rate, its vCPUs, its addresses) closes every line, and for a few tries the
line that was refused goes first. Else small tasks would take each bit that gets free, and a large one would
never find enough.
"""

from collections.abc import Container
from dataclasses import dataclass

from service.domain.job import Reason

FIRST, LONGEST = 1.0, 30.0  # seconds; in a full account some tasks end every second
LASTING = 4  # refusals in a row after which a shortage is not one of seconds
ALL = "*"  # every line: it is the account that is throttled, or full


@dataclass
class _Pause:
    reason: Reason
    until: float
    tried: str  # the line that was refused first
    refusals: int = 1
    trying: bool = False  # one dispatch is on its way, to see


class Pauses:
    """Which lines are closed, and why. Not thread-safe; its owner locks. Times are epoch seconds."""

    def __init__(self) -> None:
        self._pauses: dict[str, _Pause] = {}

    def is_open(self, line: str, now: float, waiting: Container[str] = ()) -> bool:
        """Whether a dispatch of this line may be launched now; one at a time after a pause.

        `waiting`: the lines in which anything stands.
        """
        every = self._pauses.get(ALL)
        if every is not None and every.refusals < LASTING and every.tried != line and every.tried in waiting:
            return False
        return all(self._passes(each, now) for each in (ALL, line))

    def _passes(self, line: str, now: float) -> bool:
        pause = self._pauses.get(line)
        return pause is None or (now >= pause.until and not pause.trying)

    def room(self, line: str, now: float, waiting: Container[str] = ()) -> int | None:
        """How many of this line may be launched now; None for any number."""
        if not self.is_open(line, now, waiting):
            return 0
        return 1 if line in self._pauses or ALL in self._pauses else None

    def lasting(self, line: str) -> bool:
        """Whether this line, and not every line, has been closed for several tries."""
        pause = self._pauses.get(line)
        return pause is not None and pause.refusals >= LASTING

    def begin(self, line: str) -> None:
        """A dispatch of this line is being launched. `ended` follows, whatever comes of it."""
        for each in (ALL, line):
            if each in self._pauses:
                self._pauses[each].trying = True

    def ended(self, line: str) -> None:
        """That dispatch has been launched, or not, or nobody knows."""
        for each in (ALL, line):
            if each in self._pauses:
                self._pauses[each].trying = False

    def refused(self, line: str, reason: Reason, now: float, *, account: bool = False) -> None:
        """Close the line, or every line where the account lacks it; for longer each time.

        Refusals of what was on its way already count once.
        """
        tried, line = line, ALL if account else line
        pause = self._pauses.get(line)
        if pause is None:
            self._pauses[line] = _Pause(reason=reason, until=now + FIRST, tried=tried)
        elif now >= pause.until:
            longer = min(LONGEST, FIRST * 2.0 ** min(pause.refusals, 16))
            self._pauses[line] = _Pause(
                reason=reason,
                until=now + longer,
                tried=pause.tried,
                refusals=pause.refusals + 1,
                trying=pause.trying,
            )

    def launched(self, line: str) -> None:
        """There is capacity: open it."""
        for each in (ALL, line):
            self._pauses.pop(each, None)

    def reason(self, line: str) -> Reason | None:
        """Why the line is closed."""
        pause = self._pauses.get(ALL) or self._pauses.get(line)
        return pause.reason if pause else None

    def reasons(self) -> dict[str, Reason]:
        return {line: pause.reason for line, pause in self._pauses.items()}
