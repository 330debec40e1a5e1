"""The warm pool's slots: all of them are seen, however many ended ones lie before the idle ones."""

from typing import Any

from outpost.agents import Agent
from service.aws.slots import DynamoSlots


class Paged:
    """DynamoDB with one slot to a page."""

    def __init__(self, slots: list[str]) -> None:
        self._slots = slots

    def query(self, **parameters: Any) -> dict[str, Any]:
        n = int(parameters.get("ExclusiveStartKey", {"n": "0"})["n"])
        item = {
            "tenantId": {"S": "#pool#claude"},
            "dispatchId": {"S": self._slots[n]},
            "createdAt": {"N": "1"},
        }
        more = {"LastEvaluatedKey": {"n": str(n + 1)}} if n + 1 < len(self._slots) else {}
        return {"Items": [item], **more}


def test_every_page_of_slots_is_read() -> None:
    client: Any = Paged(["old", "older", "idle"])
    assert [slot.slot for slot in DynamoSlots(client, "jobs").all(Agent.CLAUDE)] == ["old", "older", "idle"]
