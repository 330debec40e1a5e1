"""The image repositories: one for the control plane, one for each agent."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from outpost.agents import Agent
from outpost.names import CONTROL_PLANE_FAMILY, family

KEEP_IMAGES = 30  # enough to roll back by weeks
LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Keep the last {KEEP_IMAGES} images",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEEP_IMAGES},
            "action": {"type": "expire"},
        }
    ]
}


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """`force_delete` lets a stack go although images are left."""

    tag: str
    force_delete: bool
    key_arn: Input[str] | None = None


class Registry(ComponentResource):
    """Repositories whose tags cannot be moved and whose images are scanned when pushed."""

    repositories: Mapping[str, aws.ecr.Repository]

    def __init__(self, name: str, args: RegistryArgs, opts: ResourceOptions | None = None) -> None:
        super().__init__("outpost:images:Registry", name, {}, opts)
        self._args = args
        self._child = ResourceOptions(parent=self)
        self.repositories = {repository: self._repository(repository) for repository in repository_names()}
        self.register_outputs({})

    def image(self, repository: str) -> Output[str]:
        """The image to run: repository and tag."""
        return Output.concat(self.repositories[repository].repository_url, ":", self._args.tag)

    def _repository(self, name: str) -> aws.ecr.Repository:
        repository = aws.ecr.Repository(
            name,
            name=name,
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(
                    encryption_type="AES256" if self._args.key_arn is None else "KMS",
                    kms_key=self._args.key_arn,
                )
            ],
            force_delete=self._args.force_delete,
            opts=self._child,
        )
        aws.ecr.LifecyclePolicy(
            name,
            repository=repository.name,
            policy=Output.json_dumps(LIFECYCLE, sort_keys=True),
            opts=self._child,
        )
        return repository


def repository_names() -> list[str]:
    """One repository for each task definition family, with the same name."""
    return [CONTROL_PLANE_FAMILY, *(family(agent) for agent in Agent)]
