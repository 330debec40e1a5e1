"""What a fresh region is given so that it can be used at once: an admin key, and keys for the agents."""

from datetime import UTC, datetime

from local.aws.call import Call
from local.aws.client import Clients
from local.aws.errors import Response
from outpost.agents import AGENTS
from outpost.api_keys import PREFIX_LENGTH, Scope, key_hash, new_key
from outpost.names import Names, agent_secret

TENANT = "demo"
OK = 200
PLACEHOLDER = "local-region-placeholder"  # the rehearsal stand-in calls no model


def create_key(clients: Clients, stack: str) -> str:
    """Write an admin key of the demo tenant into the table of keys; the key itself."""
    key = new_key()
    clients.internal("dynamodb").put_item(
        TableName=Names(stack).api_keys_table,
        Item={
            "apiKeyId": {"S": "key-demo"},
            "tenantId": {"S": TENANT},
            "name": {"S": "local region"},
            "keyHash": {"S": key_hash(key)},
            "keyPrefix": {"S": key[:PREFIX_LENGTH]},
            "scopes": {"SS": [Scope.ADMIN.value]},
            "status": {"S": "active"},
            "createdAt": {"S": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")},
        },
    )
    return key


class SecretValues:
    """Gives every agent's secret a value as soon as it is made, as an operator does with a new stack.

    An observer of the gateway while the stack is deployed: the control plane starts during the deployment
    and finds them filled.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._names = {agent_secret(agent) for agent in AGENTS}

    def observe(self, call: Call, response: Response) -> None:
        if (call.service, call.operation) != ("secretsmanager", "CreateSecret") or response.status != OK:
            return
        name = str(call.parameters.get("Name", ""))
        if name in self._names:
            client = self._clients.internal("secretsmanager")
            client.put_secret_value(SecretId=name, SecretString=PLACEHOLDER)
