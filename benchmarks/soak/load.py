"""The load: what several tenants do at once, each request checked for the answer that it must have."""

import hashlib
import random
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from benchmarks.soak.api import Tenant
from benchmarks.soak.ledger import Blow, Entry, Ledger, Plan, draw
from outpost.dispatch import Status

AGENTS = ("claude", "aider", "codex")
WORKERS = 40  # threads that cancel, follow and read beside the posts
POLL = 0.3  # seconds between two looks at a dispatch that a stage is waited for
STAGE_WITHIN = 60.0
FOLLOW_WITHIN = 240.0  # seconds of one log stream; a dispatch whose launch is held up may outlast it


@dataclass
class Load:
    """Posts at random, and does something with what it posted."""

    tenants: list[Tenant]
    repository: Path
    webhook_url: str
    ledger: Ledger
    chance: random.Random
    quick: bool = False

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="load")
        self._busy = threading.Semaphore(WORKERS)

    def run(self, seconds: float, per_second: float) -> None:
        """Post for so long, with as many in a second on average."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._beside(self._one, draw(self.chance, quick=self.quick), self.chance.random())
            if self.chance.random() < 0.25:
                self._beside(self._read, self.chance.random())
            time.sleep(self.chance.expovariate(per_second))
        self._pool.shutdown(wait=True)

    def post_only(self, plans: Iterable[Plan]) -> None:
        """Post one of each, and read everything that there is to read."""
        for plan in plans:
            for tenant in self.tenants:
                self._post(tenant, plan)
        for which in range(20):
            self._read(which / 20)

    def _beside(self, action: Any, *arguments: Any) -> None:
        """Run it in the pool; when all threads are busy the load waits, rather than pile up."""
        self._busy.acquire()

        def run() -> None:
            try:
                action(*arguments)
            except Exception as error:  # noqa: BLE001 - told as a finding, where a thread would lose it
                self.ledger.found(f"{action.__name__}: {type(error).__name__}: {error}")
            finally:
                self._busy.release()

        self._pool.submit(run)

    # --- one dispatch

    def _one(self, plan: Plan, fate: float) -> None:
        tenant = self.chance.choice(self.tenants)
        entry = self._post(tenant, plan)
        if entry is None:
            return
        if fate < 0.05:
            self._cancel(tenant, entry)
        elif fate < 0.10:
            self._cancel_at(tenant, entry, Status.PROVISIONING)
        elif fate < 0.15:
            self._cancel_at(tenant, entry, Status.RUNNING)
        elif fate < 0.18:
            self._cancel_ended(tenant, entry)
        elif fate < 0.45:
            self._follow(tenant, entry)
        elif fate < 0.55:
            self._artifacts(tenant, entry)

    def _post(self, tenant: Tenant, plan: Plan) -> Entry | None:
        webhook = self.chance.random() < 0.2
        body: dict[str, Any] = {
            "agent": self.chance.choice(AGENTS),
            "task": plan.task,
            "timeoutSeconds": plan.timeout,
            **({"repository": str(self.repository)} if plan.clones else {}),
            **({"branch": plan.branch} if plan.branch else {}),
            **({"webhookUrl": self.webhook_url} if webhook else {}),
        }
        headers = {"Idempotency-Key": uuid4().hex}
        made = tenant.call("POST", "/dispatch", json=body, headers=headers)
        if made.status_code != 202:
            self.ledger.found(f"POST {plan.name!r} answered {made.status_code}: {made.text[:200]}")
            return None
        entry = Entry(tenant.name, made.json()["dispatchId"], plan, webhook)
        self.ledger.accepted(entry)
        if self.chance.random() < 0.15:
            self._repeat(tenant, entry, body, headers)
        return entry

    def _repeat(self, tenant: Tenant, entry: Entry, body: dict[str, Any], headers: dict[str, str]) -> None:
        """The same key with the same body is the same dispatch; with another body it is refused."""
        again = tenant.call("POST", "/dispatch", json=body, headers=headers)
        if again.status_code != 202 or again.json()["dispatchId"] != entry.dispatch_id:
            self.ledger.found(f"the repeated post of {entry.dispatch_id} was answered {again.text[:200]}")
        other = tenant.call("POST", "/dispatch", json=body | {"task": "Another."}, headers=headers)
        if other.status_code != 409:
            self.ledger.found(f"a reused idempotency key was answered {other.status_code}")
        self.ledger.count("posts repeated")

    def _look(self, tenant: Tenant, entry: Entry) -> str:
        job = tenant.call("GET", f"/dispatch/{entry.dispatch_id}").json()
        self.ledger.seen(job)
        return str(job["status"])

    def _ended(self, tenant: Tenant, entry: Entry, within: float) -> bool:
        end = time.monotonic() + within
        while not Status(self._look(tenant, entry)).terminal:
            if time.monotonic() > end:
                return False
            time.sleep(POLL)
        return True

    def _cancel(self, tenant: Tenant, entry: Entry) -> None:
        answer = tenant.call("DELETE", f"/dispatch/{entry.dispatch_id}")
        if answer.status_code == 202:
            self.ledger.blow(entry.dispatch_id, Blow.CANCELLED)
        elif answer.status_code != 409:
            self.ledger.found(f"DELETE answered {answer.status_code}: {answer.text[:200]}")

    def _cancel_at(self, tenant: Tenant, entry: Entry, stage: Status) -> None:
        """Cancel once it is that far; one that has passed the stage already is cancelled where it is."""
        end = time.monotonic() + STAGE_WITHIN
        while self._look(tenant, entry) == Status.PENDING or (
            stage is Status.RUNNING and self._look(tenant, entry) == Status.PROVISIONING
        ):
            if time.monotonic() > end:
                break
            time.sleep(POLL / 3)
        self._cancel(tenant, entry)

    def _cancel_ended(self, tenant: Tenant, entry: Entry) -> None:
        if self._ended(tenant, entry, STAGE_WITHIN):
            answer = tenant.call("DELETE", f"/dispatch/{entry.dispatch_id}")
            expected = 202 if entry.status == Status.CANCELLED else 409
            if answer.status_code != expected:
                self.ledger.found(f"a cancel of an ended dispatch was answered {answer.status_code}")

    # --- what it leaves

    def _follow(self, tenant: Tenant, entry: Entry) -> None:
        """Follow its log to the end: the steps of a dispatch that completed are there once each, in order."""
        messages, status = tenant.stream(entry.dispatch_id, time.monotonic() + FOLLOW_WITHIN)
        if status is None:
            self.ledger.count("streams left before the end")
            return
        self.ledger.count("streams followed")
        if self._look(tenant, entry) != status:
            self.ledger.found(f"the stream of {entry.dispatch_id} ended with {status}")
        steps = [text.split(",")[0] for text in messages if text.startswith("tool work: step ")]
        if status == Status.COMPLETED and len(steps) < entry.plan.steps:
            self.ledger.found(f"the stream of {entry.dispatch_id} lacks lines: {steps}")
        if len(set(steps)) != len(steps) or steps != sorted(steps, key=lambda step: int(step.split()[-1])):
            self.ledger.found(f"the stream of {entry.dispatch_id} repeats or reorders lines: {steps}")

    def _artifacts(self, tenant: Tenant, entry: Entry) -> None:
        if not self._ended(tenant, entry, STAGE_WITHIN) or entry.status != Status.COMPLETED:
            return
        listed = tenant.call("GET", f"/dispatch/{entry.dispatch_id}/artifacts").json()["artifacts"]
        for file in listed:
            content = tenant.download(file["url"])
            if hashlib.sha256(content).hexdigest() != file.get("sha256"):
                self.ledger.found(f"{file['name']} of {entry.dispatch_id} has another checksum")
        if "changes.patch" not in {file["name"] for file in listed}:
            self.ledger.found(f"{entry.dispatch_id} completed without a patch")
        self.ledger.count("artifacts downloaded")

    # --- reads beside

    def _read(self, which: float) -> None:
        tenant = self.chance.choice(self.tenants)
        mine = self.ledger.of(tenant.name)
        if which < 0.3:
            self._list(tenant)
        elif which < 0.6 and mine:
            entry = self.chance.choice(mine)
            for page in tenant.pages(f"/dispatch/{entry.dispatch_id}/logs"):
                if page["complete"] or not page["lines"]:
                    break
        elif which < 0.8:
            others = [other for other in self.ledger.entries.copy().values() if other.tenant != tenant.name]
            if others:
                other = self.chance.choice(others).dispatch_id
                answer = tenant.call("GET", f"/dispatch/{other}")
                if answer.status_code != 404:
                    self.ledger.found(f"{tenant.name} saw another tenant's dispatch: {answer.status_code}")
        else:
            tenant.call("GET", "/fleet")
            tenant.call("GET", "/health")
        self.ledger.count("reads")

    def _list(self, tenant: Tenant) -> None:
        """Every dispatch of the tenant, once each, by pages."""
        known = {entry.dispatch_id for entry in self.ledger.of(tenant.name)}
        listed = [
            job["dispatchId"] for page in tenant.pages("/dispatch", limit=100) for job in page["dispatches"]
        ]
        if missing := known - set(listed):
            self.ledger.found(f"the list of {tenant.name} lacks {sorted(missing)[:3]}")
        if len(set(listed)) != len(listed):
            self.ledger.found(f"the list of {tenant.name} shows dispatches twice")
