"""The program's declarations for a stack, easy to ask about."""

import json
from functools import cache
from typing import Any

from infra import rendering


class Declared:
    """One resource as the program declared it; what a preview cannot know is `pulumi.output.Unknown`."""

    def __init__(self, rendered: rendering.Rendered) -> None:
        self.type, self.name, self.provider = rendered.type, rendered.name, rendered.provider
        self.inputs: Any = rendered.inputs
        self.urn = rendered.urn
        self.arn = str(rendered.outputs.get("arn", ""))

    def document(self, key: str) -> Any:
        """An input that is JSON text."""
        return json.loads(self.inputs[key])


class Program:
    """What the program declares for a stack file with some of its settings replaced."""

    def __init__(self, stack: str, *, preview: bool = False, **settings: object) -> None:
        changed = {
            f"outpost:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in settings.items()
        }
        config = rendering.stack_config(stack) | changed
        rendered = rendering.run(stack, config, preview=preview)
        self.resources = [Declared(found) for found in rendered if found.is_resource]

    def of(self, token: str) -> dict[str, Declared]:
        """The resources whose type ends with a token such as `ecs/service:Service`, by name."""
        return {found.name: found for found in self.resources if found.type.endswith(f":{token}")}


@cache
def stack(name: str, *, preview: bool = False) -> Program:
    """A stack file as it is, rendered once for all tests."""
    return Program(name, preview=preview)
