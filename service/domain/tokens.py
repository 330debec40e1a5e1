"""Worker tokens: good for one attempt of one dispatch, the same on a repeated launch, nothing to store."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass


@dataclass(frozen=True)
class WorkerIdentity:
    """Who a worker is: one attempt of one dispatch of one tenant."""

    tenant_id: str
    dispatch_id: str
    attempt: int


class WorkerTokens:
    """Signs and reads worker tokens with HMAC-SHA-256."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def _signature(self, subject: bytes) -> str:
        digest = hmac.new(self._key, b"outpost-worker-v1:" + subject, hashlib.sha256).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def issue(self, identity: WorkerIdentity) -> str:
        subject = f"{identity.tenant_id}/{identity.dispatch_id}/{identity.attempt}".encode()
        return f"{urlsafe_b64encode(subject).decode().rstrip('=')}.{self._signature(subject)}"

    def read(self, token: str) -> WorkerIdentity | None:
        """The identity, or None if the token is not one that this key signed."""
        encoded, _, signature = token.partition(".")
        try:
            subject = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
            expected = self._signature(subject)
            if not hmac.compare_digest(expected.encode(), signature.encode()):
                return None
            tenant_id, dispatch_id, attempt = subject.decode().split("/")
            return WorkerIdentity(tenant_id, dispatch_id, int(attempt))
        except ValueError:
            return None
