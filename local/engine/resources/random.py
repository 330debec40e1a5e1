"""The `random` provider, which has no cloud behind it."""

import secrets
import string

from local.engine.arguments import Arguments
from local.engine.aws import Aws
from local.engine.registry import Created, creates

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"  # the provider's own default


@creates("random:index/randomPassword:RandomPassword")
def random_password(_: Aws, args: Arguments) -> Created:
    length = args["length"]
    groups = {
        "special": args.get("overrideSpecial", _SPECIAL),
        "lower": string.ascii_lowercase,
        "upper": string.ascii_uppercase,
        "numeric": string.digits,
    }
    groups = {name: characters for name, characters in groups.items() if args.get(name, True)}
    args.ignore("keepers")
    letters = "".join(groups.values())
    result = "".join(secrets.choice(letters) for _ in range(length))
    return Created("none", {"result": result})
