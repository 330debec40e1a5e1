"""DynamoDB's attribute values, and how a job is written in them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from zlib import crc32

from outpost.agents import Agent
from outpost.dispatch import Status
from service import log
from service.domain.job import Job, Reason, StoppedEvidence
from service.domain.times import from_iso, iso

SHARDS = tuple(str(n) for n in range(8))  # of the deadline index: no partition takes all of the writes
Item = dict[str, Any]


def encode(value: Any) -> dict[str, Any]:
    """One value as DynamoDB takes it."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bytes):
        return {"B": value}
    if isinstance(value, Mapping):
        return {"M": {str(name): encode(inner) for name, inner in value.items()}}
    if isinstance(value, set | frozenset):
        return {"SS": sorted(value)}
    return {"L": [encode(inner) for inner in value]}


def decode(value: Mapping[str, Any]) -> Any:
    """The value that `encode` was given; number sets and binary sets do not occur here."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return int(inner) if inner.lstrip("-").isdigit() else float(inner)
    if kind == "M":
        return {name: decode(each) for name, each in inner.items()}
    if kind == "L":
        return [decode(each) for each in inner]
    if kind == "SS":
        return set(inner)
    return None if kind == "NULL" else inner


def decode_item(item: Mapping[str, Any]) -> Item:
    return {name: decode(value) for name, value in item.items()}


def encode_item(values: Mapping[str, Any]) -> Item:
    return {name: encode(value) for name, value in values.items() if value is not None}


def shard(dispatch_id: str) -> str:
    return SHARDS[crc32(dispatch_id.encode()) % len(SHARDS)]


_REASON = {"code": "code", "issue": "issue", "cause": "cause", "summary": "summary", "remedy": "remedy"}
_EVIDENCE = {
    "task_arn": "taskArn",
    "stop_code": "stopCode",
    "stopped_reason": "stoppedReason",
    "exit_code": "exitCode",
    "container_reason": "containerReason",
    "stopped_at": "stoppedAt",
}


def _pack(names: Mapping[str, str]) -> Callable[[Any], Item]:
    def pack(value: Any) -> Item:
        found = {attribute: getattr(value, name) for name, attribute in names.items()}
        return {attribute: each for attribute, each in found.items() if each not in ("", None)}

    return pack


def _unpack(kind: type, names: Mapping[str, str]) -> Callable[[Item], Any]:
    def unpack(value: Item) -> Any:
        found = {name: value[attribute] for name, attribute in names.items() if attribute in value}
        return kind(**({"code": "unknown", "summary": ""} if kind is Reason else {}) | found)

    return unpack


def _same(value: Any) -> Any:
    return value


_Codec = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
_reason: tuple[Callable[[Any], Any], Callable[[Any], Any]] = (_pack(_REASON), _unpack(Reason, _REASON))

# Job field -> attribute, to DynamoDB, from DynamoDB.
FIELDS: dict[str, _Codec] = {
    "agent": ("agent", str, Agent),
    "status": ("status", str, Status),
    "version": ("version", _same, _same),
    "created_at": ("createdAt", iso, from_iso),
    "started_at": ("startedAt", iso, from_iso),
    "ended_at": ("endedAt", iso, from_iso),
    "timeout_seconds": ("timeoutSeconds", _same, _same),
    "repository": ("repository", _same, _same),
    "branch": ("branch", _same, _same),
    "model": ("model", _same, _same),
    "workspace": ("workspace", _same, _same),
    "workspace_id": ("workspaceId", _same, _same),
    "tags": ("tags", dict, _same),
    "task_preview": ("taskPreview", _same, _same),
    "api_key_id": ("apiKeyId", _same, _same),
    "git_access": ("gitAccess", _same, _same),
    "webhook_url": ("webhookUrl", _same, _same),
    "attempt": ("attempt", _same, _same),
    "start_failures": ("startFailures", _same, _same),
    "deferrals": ("deferrals", _same, _same),
    "launch_after": ("launchAfter", _same, _same),
    "queued_at": ("queuedAt", _same, _same),
    "waiting_reason": ("waitingReason", *_reason),
    "deadline_at": ("deadlineAt", _same, _same),
    "attempt_at": ("attemptAt", _same, _same),
    "task_arn": ("taskArn", _same, _same),
    "exit_code": ("exitCode", _same, _same),
    "reason": ("reason", *_reason),
    "summary": ("summary", _same, _same),
    "changes": ("changes", dict, _same),
    "artifacts": ("artifacts", list, _same),
    "deliveries": ("webhookDeliveries", list, _same),
    "promotion": ("promotion", dict, _same),
    "cancel_reason": ("cancelReason", _same, _same),
    "stopped_evidence": ("stoppedEvidence", _pack(_EVIDENCE), _unpack(StoppedEvidence, _EVIDENCE)),
    "expires_at": ("ttl", int, _same),
}


def job_key(tenant_id: str, dispatch_id: str) -> Item:
    return {"tenantId": {"S": tenant_id}, "dispatchId": {"S": dispatch_id}}


def shared_key(kind: str, *parts: str) -> Item:
    """The key of an item that is not a job. Such partition keys start with `#`; a tenant id cannot."""
    return job_key("#" + "#".join((kind, *parts)), "-")


def job_item(job: Job) -> Item:
    """The whole job, for its first write."""
    item = job_key(job.tenant_id, job.dispatch_id)
    for name, (attribute, to_store, _) in FIELDS.items():
        value = getattr(job, name)
        if value is not None and value != () and value != {}:
            item[attribute] = encode(to_store(value))
    if job.deadline_at is not None:
        item["deadlineShard"] = {"S": shard(job.dispatch_id)}
    return item


def job_of(item: Mapping[str, Any]) -> Job:
    """The job that was stored."""
    fields = {
        name: from_store(decode(item[attribute]))
        for name, (attribute, _, from_store) in FIELDS.items()
        if attribute in item and "NULL" not in item[attribute]
    }
    return Job(tenant_id=item["tenantId"]["S"], dispatch_id=item["dispatchId"]["S"], **fields)


def readable_jobs(items: Iterable[Mapping[str, Any]]) -> list[Job]:
    """The jobs that can be read: one that was spoilt, or written by a newer version, hides no other."""
    jobs: list[Job] = []
    for item in items:
        try:
            jobs.append(job_of(item))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning(
                "a dispatch's record cannot be read",
                event="unreadable-record",
                tenantId=item["tenantId"].get("S"),
                dispatchId=item["dispatchId"].get("S"),
                error=repr(error),
            )
    return jobs


def difference(old: Job, new: Job) -> tuple[Item, list[str]]:
    """The attributes to set and those to remove, to make `new` of `old`."""
    sets: Item = {}
    removes: list[str] = []
    for name, (attribute, to_store, _) in FIELDS.items():
        value = getattr(new, name)
        if value == getattr(old, name):
            continue
        if value is None:
            removes.append(attribute)
        else:
            sets[attribute] = encode(to_store(value))
    if new.deadline_at is None and "deadlineAt" in removes:
        removes.append("deadlineShard")
    elif "deadlineAt" in sets:
        sets["deadlineShard"] = {"S": shard(new.dispatch_id)}
    return sets, removes
