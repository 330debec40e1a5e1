"""S3: access logging is set whatever the target's policy says, as AWS does; it only delivers nothing then.

moto looks for one statement of a certain shape in the policy and refuses all others.
"""

from moto.s3.models import FakeBucket


def install() -> None:
    FakeBucket._log_permissions_enabled_policy = staticmethod(lambda **_: True)
