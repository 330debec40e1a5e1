"""The service-linked roles that a new account does not have yet, and that AWS's services want to find."""

from typing import Any

from infra.deploy_place import Place

# ECS refuses capacity providers, and load balancing a load balancer, in an account that has never used them.
SERVICES = ("ecs.amazonaws.com", "elasticloadbalancing.amazonaws.com")


def calls() -> list[str]:
    """What `make` is going to call."""
    return [f"iam:CreateServiceLinkedRole {service} (unless it is there)" for service in SERVICES]


def make(place: Place) -> None:
    """Makes those that are missing."""
    iam: Any = place.client("iam")
    for service in SERVICES:
        try:
            iam.create_service_linked_role(AWSServiceName=service)
        except iam.exceptions.EntityAlreadyExistsException:
            continue
        except iam.exceptions.InvalidInputException as error:
            # What IAM answers in fact for a role that is there; it has no code of its own for it.
            if "has been taken" not in error.response["Error"]["Message"]:
                raise
