"""How much memory the agent's processes take, and how much the container has."""

import contextlib
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # cgroup v2, as on Fargate platform version 1.4


def descendants() -> list[int]:
    """Every live process below this one."""
    try:
        return _below(os.getpid())
    except FileNotFoundError:  # a kernel without CONFIG_PROC_CHILDREN
        return _scanned()


def _below(pid: int) -> list[int]:
    """By the kernel's own lists of children, which costs a few reads where a scan costs one a process."""
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 - names are all that is needed
    except (FileNotFoundError, ProcessLookupError):
        return found  # gone meanwhile
    for thread in threads:
        path = Path(f"/proc/{pid}/task/{thread}/children")
        try:
            children = [int(child) for child in path.read_text().split()]
        except ProcessLookupError:
            continue
        except FileNotFoundError:
            if path.parent.exists():
                raise
            continue
        for child in children:
            if _parent(str(child)) is not None:
                found.append(child)
            found += _below(child)
    return found


def _scanned() -> list[int]:
    """By a scan of all processes."""
    children: dict[int, list[int]] = {}
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit() and (parent := _parent(entry.name)) is not None:
                children.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    queue = [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def tree_mib() -> int:
    """Resident memory of all descendants; pages that they share are counted for each of them."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in descendants():
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
    return total // (1024 * 1024)


def container_mib(task_definition_mib: int) -> int:
    """What the container may take: the smaller of the task definition's size and the cgroup's limit."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
    except OSError:
        return task_definition_mib
    return min(task_definition_mib, int(limit) // (1024 * 1024)) if limit.isdigit() else task_definition_mib


def kernel_kills() -> int:
    """How many processes of the container the kernel has killed for memory so far."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in (CGROUP / "memory.events").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def _parent(pid: str) -> int | None:
    """The parent of a process; None for one that is gone or a zombie."""
    try:
        # The name in parentheses may hold spaces and parentheses itself.
        state, parent = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return None if state in "ZX" else int(parent)
