"""Stands in for pulumi's CLI as the automation API runs it: records its calls, answers as PULUMI_* say."""

import json
import os
import sys
from pathlib import Path

HISTORY = {
    "kind": "update",
    "startTime": "2026-11-23T10:00:00.000Z",
    "endTime": "2026-11-23T10:01:00.000Z",
    "message": "",
    "environment": {},
    "config": {},
    "result": "succeeded",
    "version": 1,
    "resourceChanges": {"create": 1},
}


def main(arguments: list[str]) -> None:
    stack = Path(os.environ["STAND_IN_LOG"] + ".stack")
    if arguments[0] != "version":
        _record(arguments)
    if os.environ.get("PULUMI_FAILS", "\0") in " ".join(arguments):
        sys.exit("error: stand-in: the update failed")
    match arguments[:2]:
        case ["version", *_]:
            print("v3.272.0")
        case ["stack", "select"] if not stack.exists():
            sys.exit("error: no stack named 'dev' found")
        case ["stack", "init"]:
            stack.touch()
        case ["stack", "output"]:
            print(os.environ.get("PULUMI_OUTPUTS", "{}"))
        case ["stack", "history"]:
            print(json.dumps([HISTORY]))
        case ["preview", *_]:
            _send_summary(_value(arguments, "--event-log"), {"create": 7})


def _record(arguments: list[str]) -> None:
    config = _value(arguments, "--config-file")
    call = {
        "program": "pulumi",
        "arguments": arguments,
        "backend": os.environ.get("PULUMI_BACKEND_URL"),
        "config": Path(config).read_text() if config else None,
    }
    with Path(os.environ["STAND_IN_LOG"]).open("a") as log:
        log.write(json.dumps(call) + "\n")


def _send_summary(address: str, changes: dict[str, int]) -> None:
    import grpc
    from pulumi.runtime.proto import events_pb2, events_pb2_grpc

    event = {"sequence": 1, "timestamp": 0, "summaryEvent": {"resourceChanges": changes}}
    with grpc.insecure_channel(address.removeprefix("tcp://")) as channel:
        stub = events_pb2_grpc.EventsStub(channel)
        stub.StreamEvents(iter([events_pb2.EventRequest(event=json.dumps(event))]))


def _value(arguments: list[str], flag: str) -> str:
    return arguments[arguments.index(flag) + 1] if flag in arguments else ""


if __name__ == "__main__":
    main([argument for argument in sys.argv[1:] if argument != "--non-interactive"])
