"""A resource's declared arguments, of which none may be overlooked."""

from collections.abc import Iterator, Mapping
from typing import Any


class Arguments(Mapping[str, Any]):
    """The arguments of one resource by Pulumi's names (camel case), those that are None left out.

    It notes what is read, so that an argument which no code reads is an error and not dropped.
    `tags` are merged with the provider's default tags, as the AWS provider does.
    """

    def __init__(self, values: Mapping[str, Any], default_tags: Mapping[str, str] | None = None) -> None:
        self._values = {key: value for key, value in values.items() if value is not None}
        self._default_tags = default_tags or {}
        self._read: set[str] = set()
        self.tags_read = False  # whether the type takes tags at all

    def __getitem__(self, key: str) -> Any:
        self._read.add(key)
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def tags(self) -> dict[str, str]:
        """The tags that the resource gets, in the order of their keys."""
        self.tags_read = True
        return self.merged_tags()

    def merged_tags(self) -> dict[str, str]:
        """The same, for looking only."""
        return dict(sorted({**self._default_tags, **self._values.get("tags", {})}.items()))

    def pascal(self, *keys: str) -> dict[str, Any]:
        """The given ones of these arguments by the AWS API's names (`vpcId` -> `VpcId`), all through."""
        return {_upper(key): pascal(self[key]) for key in keys if key in self._values}

    def same(self, *keys: str) -> dict[str, Any]:
        """The given ones of these arguments, for APIs that spell them as Pulumi does."""
        return {key: self[key] for key in keys if key in self._values}

    def unread(self) -> list[str]:
        """What no code has read."""
        return sorted(set(self._values) - self._read)

    def ignore(self, *keys: str) -> None:
        """Arguments that speak to the provider, not to AWS."""
        self._read.update(keys)


def pascal(value: Any) -> Any:
    """Nested arguments by the AWS API's names. boto3 refuses those that the API does not have."""
    if isinstance(value, Mapping):
        return {_upper(key): pascal(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [pascal(inner) for inner in value]
    return whole(value)


def whole(value: Any) -> Any:
    """Pulumi's numbers arrive as floats; AWS wants whole numbers."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def tag_list(tags: Mapping[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as the list of pairs that most APIs take."""
    return [{key: name, value: text} for name, text in tags.items()]


def _upper(key: str) -> str:
    return key[:1].upper() + key[1:]
