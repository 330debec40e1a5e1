"""The account and region that a stack is deployed to, and the ARNs that follow from them."""

from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import InvokeOutputOptions, Output, ProviderResource


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where the stack lives. For AWS's commercial partition, whose ARNs start with `arn:aws`."""

    id: Output[str]
    region: str

    @classmethod
    def of(cls, provider: ProviderResource, region: str) -> "Account":
        """The account that the provider's credentials belong to."""
        identity = aws.get_caller_identity_output(opts=InvokeOutputOptions(provider=provider))
        return cls(id=identity.account_id, region=region)

    def arn(self, service: str, resource: str) -> Output[str]:
        """The ARN of a regional resource, such as `("ecs", "task/outpost-dev/*")`."""
        return Output.concat(f"arn:aws:{service}:{self.region}:", self.id, f":{resource}")
