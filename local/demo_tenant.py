"""What a fresh region is given so that it can be used at once: an admin key, and keys for the agents."""

import hashlib
import secrets
from datetime import UTC, datetime

from botocore.exceptions import ClientError

from local.aws.client import Clients
from outpost.agents import AGENTS
from outpost.names import Names, agent_secret

TENANT = "demo"
KEY_PREFIX = "otp_"
PREFIX_LENGTH = 15  # characters by which the guide looks a key up
PLACEHOLDER = "local-region-placeholder"  # the rehearsal stand-in calls no model


def create_key(clients: Clients, stack: str) -> str:
    """Write an admin key of the demo tenant into the table of keys; the key itself."""
    key = KEY_PREFIX + secrets.token_hex(32)
    clients.internal("dynamodb").put_item(
        TableName=Names(stack).api_keys_table,
        Item={
            "apiKeyId": {"S": "key-demo"},
            "tenantId": {"S": TENANT},
            "name": {"S": "local region"},
            "keyHash": {"S": hashlib.sha256(key.encode()).hexdigest()},
            "keyPrefix": {"S": key[:PREFIX_LENGTH]},
            "scopes": {"SS": ["admin"]},
            "status": {"S": "active"},
            "createdAt": {"S": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")},
        },
    )
    return key


def give_placeholder_secrets(clients: Clients) -> None:
    """Give every agent's secret a value, as an operator does after the first deployment."""
    client = clients.internal("secretsmanager")
    for agent in AGENTS:
        try:
            client.put_secret_value(SecretId=agent_secret(agent), SecretString=PLACEHOLDER)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
