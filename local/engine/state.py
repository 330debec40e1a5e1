"""What the engine remembers of a stack between deployments: `stack.json`.

It holds secret values in plain text, as moto itself does in memory; the file is readable by its owner only.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(kw_only=True)
class ResourceState:
    """One resource as it was declared (`inputs`) and as it came to be (`id`, `outputs`)."""

    urn: str
    type: str
    name: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)  # with the provider's default tags
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    custom: bool = True  # False: a component, which has nothing in AWS
    protect: bool = False
    retain: bool = False


@dataclass(kw_only=True)
class StackState:
    """All resources of a stack in the order in which they were created, and its exports."""

    stack: str
    resources: dict[str, ResourceState] = field(default_factory=dict)
    pending: list[ResourceState] = field(default_factory=list)  # replaced, not deleted yet
    exports: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, stack: str) -> "StackState":
        """The state in the file; an empty one when there is no file yet."""
        if not path.exists():
            return cls(stack=stack)
        document = json.loads(path.read_text())
        resources = (ResourceState(**resource) for resource in document["resources"])
        return cls(
            stack=stack,
            resources={resource.urn: resource for resource in resources},
            pending=[ResourceState(**resource) for resource in document["pending"]],
            exports=document["exports"],
        )

    def save(self, path: Path) -> None:
        """Write the file whole or not at all."""
        document = {
            "stack": self.stack,
            "exports": self.exports,
            "resources": [asdict(resource) for resource in self.resources.values()],
            "pending": [asdict(resource) for resource in self.pending],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(document, indent=1))
        draft.replace(path)
