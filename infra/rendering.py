"""What the program declares for a stack, without an account: the program run with Pulumi's mocks.

Costs and scanners read this. Each rendering runs in a process of its own, since Pulumi's runtime keeps its
settings and its resources in module globals.
"""

import argparse
import asyncio
import json
import runpy
import subprocess
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from outpost.errors import OutpostError
from outpost.names import REGION

ROOT = Path(__file__).parent.parent
PROJECT = "outpost"
_SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the key by which Pulumi's wire format marks a secret
ACCOUNT = "123456789012"  # AWS's own example account


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """One resource: its type token, its name in the program, its inputs, and the outputs given to others.

    `urn` is the one that Pulumi would give it; `parent` and `dependencies` are URNs of others. Components are
    rendered too, with `custom` false.
    """

    type: str
    name: str
    urn: str = ""
    parent: str = ""
    provider: str = ""
    dependencies: Sequence[str] = ()
    custom: bool = True
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_resource(self) -> bool:
        """Whether a provider makes it, as opposed to a component or Pulumi itself."""
        return self.custom and not self.type.startswith("pulumi:")

    @property
    def service(self) -> str:
        """The AWS service, as in `ec2` of `aws:ec2/vpc:Vpc`."""
        return self.type.split(":")[1].split("/")[0]


def render(stack: str, overrides: Mapping[str, str] | None = None) -> list[Rendered]:
    """Every resource that the program declares for the stack.

    `overrides` replace settings of the stack file, such as `{"outpost:replicas": "2"}`. Raises `OutpostError`
    (`unrenderable-stack`) when there is no such stack or the program fails.
    """
    changed = [text for key, value in (overrides or {}).items() for text in ("--set", f"{key}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "infra.rendering", stack, *changed],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise OutpostError(
            "unrenderable-stack",
            f"The program does not run for the stack {stack!r}: {lines[-1]}",
            remedy=f"Run `python -m infra.rendering {stack}` to see all of it.",
        )
    return [Rendered(**entry) for entry in json.loads(done.stdout)]


class Declared:
    """The rendering of a stack, by type and by ARN.

    `resources` are those of providers; `everything` has the components and Pulumi's own as well.
    """

    def __init__(self, stack: str, resources: Sequence[Rendered]) -> None:
        self.stack = stack
        self.everything = resources
        self.resources = [each for each in resources if each.is_resource]
        self._by_arn = {each.outputs["arn"]: each for each in self.resources}

    @classmethod
    def of_stack(cls, stack: str, overrides: Mapping[str, str] | None = None) -> "Declared":
        """Renders the stack; raises as `render` does."""
        return cls(stack, render(stack, overrides))

    def of(self, token: str) -> list[Rendered]:
        """The resources of a type, such as `aws:ecs/service:Service`, by name."""
        return [resource for resource in self.resources if resource.type == token]

    def needed_by(self, tokens: Container[str]) -> list[str]:
        """URNs of the resources of these types and of all that must exist before them."""
        by_urn = {each.urn: each for each in self.everything}
        wanted = [each.urn for each in self.resources if each.type in tokens]
        found: set[str] = set()
        while wanted:
            urn = wanted.pop()
            if urn in by_urn and urn not in found:
                found.add(urn)
                each = by_urn[urn]
                wanted += [each.parent, each.provider, *each.dependencies]
        return sorted(found)

    def at(self, arn: str) -> Rendered:
        """The resource with this ARN; `KeyError` when the program declares none."""
        return self._by_arn[arn]


def stack_config(stack: str) -> dict[str, str]:
    """The stack file's configuration as Pulumi hands it to a program: lists and flags as JSON text."""
    import yaml  # here, so that readers of a rendering do not need it

    path = ROOT / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise OutpostError(
            "unknown-stack",
            f"There is no {path.name}.",
            remedy="Copy Pulumi.dev.yaml and change what differs.",
        )
    values = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("config", {})
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def run(stack: str, config: Mapping[str, str], *, preview: bool = False) -> list[Rendered]:
    """Runs the program in this process; a preview leaves out what AWS would compute, as Pulumi's does."""
    import pulumi
    from pulumi.runtime import mocks
    from pulumi.runtime import stack as runtime

    given: dict[tuple[str, str], tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    resources: list[Rendered] = []

    class Answers(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
            outputs = args.inputs if preview else _outputs(args.typ, args.name, args.inputs)
            given[args.typ, args.name] = args.inputs, outputs
            return outputs.get("id", ""), outputs

        def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
            if args.token == "aws:index/getCallerIdentity:getCallerIdentity":  # noqa: S105 - a function's name
                arn = f"arn:aws:iam::{ACCOUNT}:root"
                return {"id": ACCOUNT, "accountId": ACCOUNT, "arn": arn, "userId": ""}
            raise OutpostError("unknown-call", f"The rendering does not know the function {args.token}.")

    class Monitor(mocks.MockMonitor):
        def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
            response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
            inputs, outputs = given.get((request.type, request.name), ({}, {}))
            resources.append(
                Rendered(
                    type=request.type,
                    name=request.name,
                    urn=_urn(response.urn),
                    parent=_urn(request.parent),
                    provider=_urn(request.provider.rpartition("::")[0]),
                    dependencies=sorted(map(_urn, request.dependencies)),
                    custom=request.custom,
                    inputs=_plain(inputs),
                    outputs=_plain(outputs),
                )
            )
            return response

    def program() -> None:
        runpy.run_path(str(ROOT / "infra"), run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    answers = Answers()
    mocks.set_mocks(answers, project=PROJECT, stack=stack, preview=preview, monitor=Monitor(answers))
    pulumi.runtime.set_all_config(dict(config))
    loop.run_until_complete(runtime.run_pulumi_func(program))
    loop.close()
    return sorted(resources, key=lambda resource: (resource.type, resource.name))


def _urn(of_mocks: str) -> str:
    """As Pulumi writes it: the type of the stack itself is not part of its resources' URNs."""
    return of_mocks.replace("pulumi:pulumi:Stack$", "")


def _outputs(token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs and, for what AWS would add, values of the same form."""
    module, _, kind = token.removeprefix("aws:").partition(":")
    service = module.split("/")[0]
    given = str(inputs.get("name") or inputs.get("bucket") or name)
    identity = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}/{given}"
    made = {
        "id": identity if service in ("lb", "ecs") else given,
        "arn": identity,
        "name": given,
        "url": f"https://{service}.{REGION}.amazonaws.com/{ACCOUNT}/{given}",
        "arnSuffix": f"app/{given}/0123456789abcdef",
        "dnsName": f"{given}.{REGION}.elb.amazonaws.com",
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{given}",
        "revision": 1,
        "result": "rendered",
    }
    return {**made, **inputs, "id": made["id"], "arn": identity}


def _plain(value: Any) -> Any:
    """Without the wrapping by which Pulumi marks a secret; the values are made up here."""
    if isinstance(value, Mapping):
        if _SECRET in value:
            return value["value"]
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _unknown(_: object) -> str:
    """How an input that a preview cannot know is printed."""
    return "UNKNOWN"


def _main() -> None:
    parser = argparse.ArgumentParser(description="Print what the program declares for a stack, as JSON.")
    parser.add_argument("stack")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="replace a setting")
    parser.add_argument(
        "--preview", action="store_true", help="answer as a preview does, without computed values"
    )
    arguments = parser.parse_args()
    overrides = dict(setting.partition("=")[::2] for setting in arguments.set)
    resources = run(arguments.stack, stack_config(arguments.stack) | overrides, preview=arguments.preview)
    json.dump(
        [asdict(resource) for resource in resources], sys.stdout, indent=1, sort_keys=True, default=_unknown
    )


if __name__ == "__main__":
    _main()
