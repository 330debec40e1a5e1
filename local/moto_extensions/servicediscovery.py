"""Cloud Map: the hosted zone of a private namespace belongs to the namespace's VPC."""

from functools import wraps
from typing import Any

from moto.route53.models import route53_backends
from moto.servicediscovery.models import ServiceDiscoveryBackend

_create = ServiceDiscoveryBackend.create_private_dns_namespace


@wraps(_create)
def create_private_dns_namespace(self: ServiceDiscoveryBackend, *args: Any, **kwargs: Any) -> str:
    operation_id: str = _create(self, *args, **kwargs)
    namespace = self.namespaces[self.operations[operation_id].targets["NAMESPACE"]]
    zone_id = namespace.dns_properties["HostedZoneId"]
    zone = route53_backends[self.account_id]["aws"].get_hosted_zone(zone_id)
    zone.add_vpc(namespace.vpc, self.region_name)
    return operation_id


def install() -> None:
    ServiceDiscoveryBackend.create_private_dns_namespace = create_private_dns_namespace
