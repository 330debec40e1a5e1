"""Reads Pulumi.yaml and Pulumi.STACK.yaml, as the Pulumi CLI does."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from outpost.errors import OutpostError

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Project:
    """A Pulumi project: its name, the program and one stack's settings (`namespace:key` -> text)."""

    name: str
    stack: str
    main: Path
    config: dict[str, str]

    @classmethod
    def load(cls, stack: str, root: Path = ROOT, settings: dict[str, object] | None = None) -> "Project":
        """Read the project in `root`; `settings` are laid over the stack's own, as `pulumi up -c` does.

        Raises `OutpostError` (`no-such-stack`, `unreadable-project`).
        """
        project = _read(root / "Pulumi.yaml")
        path = root / f"Pulumi.{stack}.yaml"
        if not path.exists():
            known = ", ".join(sorted(p.name.split(".")[1] for p in root.glob("Pulumi.*.yaml")))
            raise OutpostError("no-such-stack", f"no stack {stack!r}.", remedy=f"Use one of: {known}.")
        name = project["name"]
        config: dict[str, str] = {}
        for key, value in ((_read(path).get("config") or {}) | (settings or {})).items():
            if isinstance(value, dict) and "secure" in value:
                raise OutpostError(
                    "encrypted-setting",
                    f"{path.name}: {key} is encrypted, and the local region has no key for it.",
                    remedy="Give it in plain text in a stack of its own.",
                )
            config[key if ":" in key else f"{name}:{key}"] = (
                value if isinstance(value, str) else json.dumps(value)
            )
        return cls(name=name, stack=stack, main=root / project.get("main", "."), config=config)


def _read(path: Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise OutpostError("unreadable-project", f"{path}: {error}") from error
