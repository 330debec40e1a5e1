"""What checks can ask about a stack. Each method reads lazily, through the run's memory."""

from functools import cached_property

from runbooks.looking import Look
from runbooks.observations.access import Access
from runbooks.observations.balancer import Balancer
from runbooks.observations.client import Client
from runbooks.observations.containers import Containers
from runbooks.observations.dispatches import Dispatches
from runbooks.observations.files import Files
from runbooks.observations.logs import Logs
from runbooks.observations.metrics import Metrics
from runbooks.observations.network import Network
from runbooks.observations.shapes import Definition
from runbooks.observations.tables import Tables
from runbooks.target import Target


class Region:
    """One stack in one region, as seen in one run."""

    def __init__(self, look: Look, target: Target, dispatch: str = "", *, tried: str = "") -> None:
        """`tried` is the ARN of a task definition to see as the control plane's, in place of its own."""
        self.look = look
        self.target = target
        self.names = target.names
        self.dispatch = dispatch
        self.tried = tried

    def trying(self, definition: Definition) -> "Region":
        """The same stack, seen as if the control plane had this task definition."""
        return Region(self.look, self.target, self.dispatch, tried=definition.arn)

    @cached_property
    def containers(self) -> Containers:
        return Containers(self.look, self.target, self.tried)

    @cached_property
    def balancer(self) -> Balancer:
        return Balancer(self.look, self.target, self.containers)

    @cached_property
    def network(self) -> Network:
        return Network(self.look, self.target, self.containers)

    @cached_property
    def files(self) -> Files:
        return Files(self.look, self.target)

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.look, self.target)

    @cached_property
    def access(self) -> Access:
        return Access(self.look, self.target)

    @cached_property
    def dispatches(self) -> Dispatches:
        return Dispatches(self.look, self.target, self.access, self.dispatch)

    @cached_property
    def logs(self) -> Logs:
        return Logs(self.look, self.target)

    @cached_property
    def metrics(self) -> Metrics:
        return Metrics(self.look, self.target)

    @cached_property
    def client(self) -> Client:
        return Client(self.look, self.target)
