"""Runs the program against recorded answers instead of AWS, and keeps what it declared."""

import asyncio
import json
import runpy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime import mocks, stack

ROOT = Path(__file__).parents[2]
ACCOUNT = "123456789012"
REGION = "us-east-1"


@dataclass(frozen=True)
class Declared:
    """One resource as the program declared it. An input that a preview cannot know is `UNKNOWN`."""

    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool
    provider: str

    def document(self, key: str) -> Any:
        """An input that is JSON text."""
        return json.loads(self.inputs[key])


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """Answers as AWS would after `pulumi up`, or, in a preview, with nothing that AWS computes."""

    preview: bool
    resources: list[Declared] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        inputs = dict(args.inputs)
        self.resources.append(Declared(args.typ, args.name, inputs, bool(args.custom), args.provider or ""))
        if self.preview:
            return "", inputs
        computed = {key: value for key, value in _computed(args).items() if key not in inputs}
        return computed.pop("id"), inputs | computed

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        if args.token == "aws:index/getCallerIdentity:getCallerIdentity":
            return {
                "accountId": ACCOUNT,
                "arn": f"arn:aws:iam::{ACCOUNT}:user/test",
                "userId": "u",
                "id": "i",
            }
        raise NotImplementedError(args.token)


def _computed(args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
    service = args.typ.split(":")[1].split("/")[0]
    name = args.name
    return {
        "id": f"{name}-id",
        "arn": f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}",
        "arnSuffix": f"{name}/suffix",
        "url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{args.inputs.get('name')}",
        "dnsName": f"{name}.elb.amazonaws.com",
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{args.inputs.get('name')}",
        "result": "generated",
    }


class Program:
    """What the program declares for a stack's settings, by type and name."""

    def __init__(self, stack_name: str, *, preview: bool = False, **overrides: Any) -> None:
        recorder = Recorder(preview)
        config = _configuration(stack_name) | {
            key if ":" in key else f"outpost:{key}": value if isinstance(value, str) else json.dumps(value)
            for key, value in overrides.items()
        }
        _run(recorder, stack_name, config)
        self.resources = [found for found in recorder.resources if found.type != "pulumi:pulumi:Stack"]

    def of(self, token: str) -> dict[str, Declared]:
        """The resources whose type ends with a token such as `ecs/service:Service`, by name."""
        return {found.name: found for found in self.resources if found.type.endswith(f":{token}")}


def _configuration(stack_name: str) -> dict[str, str]:
    """A stack file's configuration, spelt as Pulumi hands it to a program."""
    values = yaml.safe_load((ROOT / f"Pulumi.{stack_name}.yaml").read_text())["config"]
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


def _run(recorder: Recorder, stack_name: str, config: dict[str, str]) -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())
    mocks.set_mocks(recorder, project="outpost", stack=stack_name, preview=recorder.preview)
    pulumi.runtime.set_all_config(config)
    loop = asyncio.get_event_loop()
    loop.run_until_complete(
        stack.run_pulumi_func(lambda: runpy.run_path(str(ROOT / "infra"), run_name="__main__"))
    )
    loop.close()
