"""Everything the routes and the loops use, made once by the composition root and handed to them."""

import threading
from dataclasses import dataclass, field

from service.application.assignments import Assignments
from service.application.audit import Audit
from service.application.authentication import Authentication
from service.application.dispatches import Dispatches
from service.application.fleet import Fleet
from service.application.following import Follower
from service.application.key_management import KeyManagement
from service.application.launching import Launcher
from service.application.log_reading import LogReading
from service.application.notifying import Notifying
from service.application.pool import WarmPool
from service.application.promoting import Promoting
from service.application.queueing import QueueBoard
from service.application.reconciling import Reconciler
from service.application.workspaces import Workspaces
from service.domain.ports import Artifacts, Clock, Coordination
from service.domain.rates import Buckets, PostWindows
from service.domain.tokens import WorkerTokens
from service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Services:
    """The use cases of one process."""

    settings: Settings
    clock: Clock
    dispatches: Dispatches
    launcher: Launcher
    board: QueueBoard
    pool: WarmPool
    follower: Follower
    reconciler: Reconciler
    coordination: Coordination
    authentication: Authentication
    keys: KeyManagement
    requests: Buckets  # of keys
    posts: PostWindows  # of keys
    guesses: Buckets  # of addresses that sent wrong keys
    fleet: Fleet
    logs: LogReading
    artifacts: Artifacts
    assignments: Assignments
    tokens: WorkerTokens
    audit: Audit
    notifying: Notifying
    promoting: Promoting
    workspaces: Workspaces
    stopping: threading.Event = field(default_factory=threading.Event)  # SIGTERM has come
