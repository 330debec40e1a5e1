"""A Pulumi engine for the local region.

It runs the unchanged `infra` program and creates each resource by boto3, with all the arguments given.
The mechanics are in `reconcile`, one small function per resource type in `resources/`.
"""

from local.engine.deployment import Deployment, deploy, destroy

__all__ = ["Deployment", "deploy", "destroy"]
