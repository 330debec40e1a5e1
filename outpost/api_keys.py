"""What an API key is made of: shared by the control plane, which checks keys, and whoever makes them."""

import hashlib
import re
import secrets
from enum import StrEnum

KEY_FORM = re.compile(r"otp_[0-9a-f]{64}")
KEY_LENGTH = 68
PREFIX_LENGTH = 15  # the guide looks keys up by their first 15 characters
# No leading hyphen: an option that was mistaken for a tenant (`keys.create --help`) must not become one.
TENANT_FORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")


class Scope(StrEnum):
    """What a key may do; `admin` may do all of it."""

    DISPATCH = "dispatch"
    STATUS = "status"
    CANCEL = "cancel"
    PROMOTE = "promote"
    ADMIN = "admin"


def new_key() -> str:
    """A fresh key: `otp_` and 64 hex digits (256 bits)."""
    return f"otp_{secrets.token_hex(32)}"


def key_hash(key: str) -> str:
    """What is stored of a key. Plain SHA-256 is enough: the key is 256 random bits, not a password."""
    return hashlib.sha256(key.encode()).hexdigest()
