"""Service Quotas for Fargate; other services' quotas stay moto's."""

from typing import Any

from local.aws.call import Call
from local.aws.errors import AwsError
from local.aws.moto_app import ACCOUNT, REGION
from outpost.names import VCPU_QUOTA_CODE

SPOT_QUOTA_CODE = "L-36FBB829"
DEFAULT_VCPUS = 4000.0  # Fargate's default in large regions; new accounts start far lower
_NAMES = {
    VCPU_QUOTA_CODE: "Fargate On-Demand vCPU resource count",
    SPOT_QUOTA_CODE: "Fargate Spot vCPU resource count",
}


class Quotas:
    """The account's Fargate quotas, and the requests to raise them (which stay PENDING until granted)."""

    def __init__(self) -> None:
        self.values = dict.fromkeys(_NAMES, DEFAULT_VCPUS)
        self.requests: list[dict[str, Any]] = []

    def vcpus(self) -> float:
        return self.values[VCPU_QUOTA_CODE]

    def get_service_quota(self, call: Call) -> dict[str, Any]:
        return {"Quota": self._quota(call, self.values)}

    def get_aws_default_service_quota(self, call: Call) -> dict[str, Any]:
        return {"Quota": self._quota(call, dict.fromkeys(_NAMES, DEFAULT_VCPUS))}

    def list_service_quotas(self, call: Call) -> dict[str, Any]:
        _fargate(call)
        return {"Quotas": [_render(code, value) for code, value in self.values.items()]}

    def request_service_quota_increase(self, call: Call) -> dict[str, Any]:
        quota = self._quota(call, self.values)
        desired = float(call.parameters["DesiredValue"])
        if desired <= quota["Value"]:
            raise AwsError("IllegalArgumentException", "The desired value is not above the current one.")
        request = {
            "Id": f"local-{len(self.requests) + 1}",
            "ServiceCode": "fargate",
            "QuotaCode": quota["QuotaCode"],
            "QuotaName": quota["QuotaName"],
            "DesiredValue": desired,
            "Status": "PENDING",
        }
        self.requests.append(request)
        return {"RequestedQuota": request}

    def list_requests(self, call: Call) -> dict[str, Any]:
        code = call.parameters.get("QuotaCode")
        return {"RequestedQuotas": [each for each in self.requests if code in {None, each["QuotaCode"]}]}

    def _quota(self, call: Call, values: dict[str, float]) -> dict[str, Any]:
        _fargate(call)
        code = str(call.parameters.get("QuotaCode", ""))
        if code not in values:
            raise AwsError(
                "NoSuchResourceException",
                f"The request failed because the specified quota {code} does not exist.",
            )
        return _render(code, values[code])


def _fargate(call: Call) -> None:
    if call.parameters.get("ServiceCode") != "fargate":
        raise AwsError("NoSuchResourceException", "The local region has quotas of the service fargate only.")


def _render(code: str, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": "fargate",
        "ServiceName": "AWS Fargate",
        "QuotaArn": f"arn:aws:servicequotas:{REGION}:{ACCOUNT}:fargate/{code}",
        "QuotaCode": code,
        "QuotaName": _NAMES[code],
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "UsageMetric": {
            "MetricNamespace": "AWS/Usage",
            "MetricName": "ResourceCount",
            "MetricDimensions": {
                "Class": "Standard/OnDemand",
                "Resource": "vCPU",
                "Service": "Fargate",
                "Type": "Resource",
            },
            "MetricStatisticRecommendation": "Maximum",
        },
    }
