"""Says what AWS describes of a resource, in the words in which the program declares it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from local.engine.aws import Aws
from local.engine.state import ResourceState

Reader = Callable[[Aws, ResourceState], dict[str, Any]]
READERS: dict[str, Reader] = {}


def reads(*tokens: str) -> Callable[[Reader], Reader]:
    """Register how resources of these types are read back."""

    def register(function: Reader) -> Reader:
        READERS.update(dict.fromkeys(tokens, function))
        return function

    return register


def camel(value: Any) -> Any:
    """The AWS API's answer with Pulumi's spelling of its keys."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: camel(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [camel(inner) for inner in value]
    return value


def pairs(tags: list[dict[str, str]], key: str = "Key", value: str = "Value") -> dict[str, str]:
    return {tag[key]: tag[value] for tag in tags}


def same(declared: Any, described: Any) -> bool:
    """Equal but for what has no meaning: the order of a set, the layout of JSON, what was not declared."""
    if isinstance(declared, dict) and isinstance(described, dict):
        return all(same(value, described.get(key)) for key, value in declared.items() if value is not None)
    if isinstance(declared, list) and isinstance(described, list):
        left = list(described)
        for item in declared:
            match = next((index for index, other in enumerate(left) if same(item, other)), None)
            if match is None:
                return False
            del left[match]
        return not left
    if isinstance(declared, str) and declared[:1] in ("{", "["):
        return _document(declared) == _document(described) or same(_document(declared), _document(described))
    return bool(declared == described)


def _document(text: Any) -> Any:
    """A JSON document parsed; any other text as it is, in a box, so that it is not parsed again."""
    try:
        return json.loads(text)
    except (ValueError, TypeError):
        return {"text": text}
