"""What the control plane's task definition must give it; the service refuses to start without."""

REQUIRED_ENVIRONMENT = (
    "OUTPOST_STACK",
    "AWS_REGION",
    "ECS_CLUSTER",
    "JOBS_TABLE",
    "API_KEYS_TABLE",
    "AUDIT_TABLE",
    "WORKSPACES_TABLE",
    "S3_ARTIFACTS_BUCKET",
    "LAUNCH_QUEUE_URL",
    "EVENTS_QUEUE_URL",
    "WORKER_SUBNETS",
    "WORKER_SECURITY_GROUP",
    "CONTROL_PLANE_URL",
)
REQUIRED_SECRETS = ("WORKER_TOKEN_KEY",)
