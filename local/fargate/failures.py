"""Why a task did not start, in the words of ECS and Fargate.

Wording: Amazon ECS developer guide, "Amazon ECS stopped tasks error messages", and what platform version
1.4.0 reports.
"""


class StartError(Exception):
    """A task that stops with TaskFailedToStart. `container_reason` is shown at its containers."""

    def __init__(self, reason: str, container_reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.container_reason = container_reason


PULL = "ResourceInitializationError: unable to pull secrets or registry auth:"
RETRIEVAL = f"{PULL} execution resource retrieval failed:"


def image_not_found(image: str) -> StartError:
    reason = (
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {image}: {image}: not found"
    )
    return StartError(reason, reason)


def registry_unreachable(region: str) -> StartError:
    return StartError(
        f"{PULL} The task cannot pull registry auth from Amazon ECR: There is a connection issue between the "
        "task and Amazon ECR. Check your task network configuration. RequestError: send request failed "
        f'caused by: Post "https://api.ecr.{region}.amazonaws.com/": dial tcp 52.46.146.46:443: i/o timeout'
    )


def secret_unavailable(reference: str, code: str, message: str) -> StartError:
    return StartError(
        f"{RETRIEVAL} unable to retrieve secret from asm: service call has been retried 1 time(s): "
        f"failed to fetch secret {reference} from secrets manager: {code}: {message} status code: 400"
    )


def role_not_assumed(role: str) -> StartError:
    return StartError(
        f"{RETRIEVAL} ECS was unable to assume the role '{role}' that was provided for this task. Please "
        "verify that the role being passed has the proper trust relationship and permissions and that your "
        "IAM user has permissions to pass this role."
    )


def log_group_missing(code: str, message: str) -> StartError:
    return StartError(
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 "
        f"times: failed to create Cloudwatch log stream: {code}: {message} : exit status 1"
    )


def _efs(stderr: str, code: int) -> StartError:
    return StartError(
        "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: "
        f"stderr: {stderr} : unsuccessful EFS utils command execution; code: {code}"
    )


def efs_timeout() -> StartError:
    return _efs("b'mount.nfs4: Connection timed out'", 32)


def efs_no_mount_target(file_system: str, region: str, zone: str) -> StartError:
    return _efs(
        f'Failed to resolve "{file_system}.efs.{region}.amazonaws.com" - The file system mount target ip '
        "address cannot be found, please pass mount target ip address via mount options. "
        f"No matching mount target in the az {zone}",
        1,
    )


def efs_denied() -> StartError:
    return _efs("b'mount.nfs4: access denied by server while mounting 127.0.0.1:/'", 32)


def efs_unknown(file_system: str) -> StartError:
    return _efs(f"File system {file_system} does not exist.", 1)
