"""A client that holds every answer against the OpenAPI document: status, headers, type and body."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import jsonschema
from starlette.testclient import TestClient

# Those of HTTP itself, which no document lists.
HTTP = {"content-length", "content-type", "date", "server", "transfer-encoding"}
Schema = Mapping[str, Any]
_DOCUMENT: dict[str, Any] = {}


class DocumentedClient(TestClient):
    """A test client to which an answer that the document does not have is an error of the test."""

    def request(self, method: Any, url: Any, **arguments: Any) -> Any:
        if not _DOCUMENT:  # once a run: no setting changes it
            _DOCUMENT.update(super().request("GET", "/openapi.json").json())
        answer = super().request(method, url, **arguments)
        check(_DOCUMENT, answer)
        return answer


def operations_of(found: Schema, path: str) -> Schema | None:
    """The operations of the path; one without parameters goes before one with."""
    for template in sorted(found["paths"], key=lambda each: each.count("{")):
        if re.fullmatch(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(template)), path):
            operations: Schema = found["paths"][template]
            return operations
    return None


def check(found: Schema, answer: httpx.Response) -> None:
    """Raises `AssertionError` for anything about the answer that the document does not say."""
    request = answer.request
    where = (request.method, request.url.path, answer.status_code)
    operations = operations_of(found, request.url.path)
    if operations is None or request.url.path == "/openapi.json":
        assert answer.status_code in (200, 404, 405), where
        return
    operation = operations.get(request.method.lower())
    if operation is None:
        assert answer.status_code == 405, where
        assert answer.headers["Allow"] == ", ".join(sorted(each.upper() for each in operations))
        return
    documented = operation["responses"].get(str(answer.status_code))
    assert documented is not None, (where, "not documented", answer.text[:500])
    _check_headers(found, documented, answer, where)
    _check_content(found, documented, answer, where)


def _check_headers(found: Schema, documented: Schema, answer: httpx.Response, where: Any) -> None:
    headers = {name.lower(): each for name, each in documented["headers"].items()}
    told = [name.lower() for name, _ in answer.headers.multi_items()]
    assert len(told) == len(set(told)), (where, "a header twice", told)
    unknown = set(told) - HTTP - set(headers)
    assert not unknown, (where, "headers that are not documented", unknown)
    for name, header in headers.items():
        if name not in answer.headers:
            assert not header.get("required"), (where, "lacks the header", name)
            continue
        value: Any = answer.headers[name]
        if header["schema"].get("type") == "integer":
            value = int(value)
        _validate(found, header["schema"], value)


def _check_content(found: Schema, documented: Schema, answer: httpx.Response, where: Any) -> None:
    content = documented.get("content", {})
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if not content:
        assert not answer.content, (where, "a body that is not documented")
        return
    assert kind in content, (where, kind, "is not among", list(content))
    if kind.endswith("json"):
        body = answer.json()
        _validate(found, content[kind]["schema"], body)
        assert not list(_extra(found, content[kind]["schema"], body)), (where, "undocumented fields")


def _validate(found: Schema, schema: Schema, value: Any) -> None:
    whole = {**schema, "components": found["components"]}
    jsonschema.validate(value, whole, cls=jsonschema.Draft202012Validator)


def _extra(found: Schema, schema: Schema, value: Any) -> Iterator[str]:
    """Fields of a body that its schema does not name."""
    if "$ref" in schema:
        schema = found["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null" and value is not None:
            yield from _extra(found, choice, value)
    if isinstance(value, list):
        for each in value:
            yield from _extra(found, schema.get("items", {}), each)
    if isinstance(value, dict) and "properties" in schema:
        for name, each in value.items():
            if name in schema["properties"]:
                yield from _extra(found, schema["properties"][name], each)
            elif not schema.get("additionalProperties"):
                yield name
