"""Pulumi's automation API for one stack. The image tag goes beside the stack file, not into it."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infra.deploy_place import Place
from infra.deploy_state import State
from infra.images_docker import Say
from infra.rendering import PROJECT, ROOT
from outpost.errors import OutpostError


class PulumiStack:
    """A stack, made when there is none of that name."""

    def __init__(self, place: Place, state: State, tag: str, say: Say) -> None:
        """Raise `OutpostError` (`pulumi-failed`) when Pulumi cannot open the stack."""
        from pulumi import automation

        environment = {
            "PULUMI_BACKEND_URL": state.backend,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "AWS_REGION": place.target.region,
        }
        if place.target.profile:
            environment["AWS_PROFILE"] = place.target.profile
        if state.backend.startswith("file:"):
            environment["PULUMI_CONFIG_PASSPHRASE"] = ""  # for a look at what would be made; nothing is kept
        self._tag, self._say = tag, say
        self._name = place.target.stack
        with _translated():
            self._stack = automation.create_or_select_stack(
                stack_name=self._name,
                work_dir=str(ROOT),
                opts=automation.LocalWorkspaceOptions(
                    env_vars=environment, secrets_provider=state.secrets_provider
                ),
            )

    def preview(self) -> Mapping[str, int]:
        """How many resources would be created, updated, replaced, deleted, by Pulumi's word for it."""
        with self._config() as config, _translated():
            summary = self._stack.preview(config_file=config, on_output=self._say, color="never")
        return {str(getattr(kind, "value", kind)): count for kind, count in summary.change_summary.items()}

    def up(self, targets: Sequence[str] = ()) -> Mapping[str, Any]:
        """Updates all, or only the resources with these URNs; gives the outputs that are not secret."""
        with self._config() as config, _translated():
            result = self._stack.up(
                config_file=config,
                target=list(targets) or None,
                on_output=self._say,
                color="never",
                show_secrets=False,
            )
        return {name: output.value for name, output in result.outputs.items() if not output.secret}

    @contextlib.contextmanager
    def _config(self) -> Iterator[str]:
        """The stack file with the image tag in it."""
        import yaml

        document = yaml.safe_load((ROOT / f"Pulumi.{self._name}.yaml").read_text(encoding="utf-8")) or {}
        document.setdefault("config", {})[f"{PROJECT}:imageTag"] = self._tag
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"Pulumi.{self._name}.yaml")
            path.write_text(yaml.safe_dump(document), encoding="utf-8")
            yield str(path)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    from pulumi.automation.errors import CommandError, InvalidVersionError

    try:
        yield
    except (CommandError, InvalidVersionError) as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        errors = [line.strip() for line in lines if line.lstrip().startswith("error:")] or lines[-1:]
        raise OutpostError(
            "pulumi-failed",
            f"Pulumi failed: {errors[0]}",
            remedy="Its output is above; nothing else was started.",
        ) from error
