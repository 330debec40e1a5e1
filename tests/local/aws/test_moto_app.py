"""What the embedded AWS keeps, and what not."""

import gc
import weakref

from moto.dynamodb.models.dynamo_type import DynamoType, Item

from local.aws.moto_app import EmbeddedAws


def test_a_model_that_nobody_uses_is_let_go() -> None:
    EmbeddedAws()
    item = Item(DynamoType({"S": "k"}), None, {"k": {"S": "v"}})
    gone = weakref.ref(item)
    del item
    gc.collect()
    assert gone() is None
