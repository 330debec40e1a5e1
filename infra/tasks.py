"""Tasks that price, build and deploy the stack. Thin: parse, call one function, print, exit code."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from invoke import Collection, Context, Exit, task

from outpost.exit_codes import Verdict


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Errors that a user can act on are one line and exit code 1."""
    from outpost.errors import OutpostError

    try:
        yield
    except OutpostError as error:
        raise Exit(f"{name}: {error}", code=1) from error


@task(
    iterable=["stack", "assume"],
    help={
        "stack": "stack to price; may be repeated (default: dev and prod, side by side)",
        "assume": "KEY=NUMBER, such as minutes=5; may be repeated",
        "format": "text or json",
    },
)
def cost(c: Context, stack: list[str], assume: list[str], format: str = "text") -> None:
    """Print what a stack costs in a month, and what 1,000 dispatches cost. Needs no account."""
    from concurrent.futures import ThreadPoolExecutor

    from infra.cost import Estimate, as_document, as_text
    from infra.cost_assumptions import Assumptions
    from infra.prices import Prices
    from infra.rendering import Declared

    if format not in ("text", "json"):
        raise Exit(f"cost: --format is text or json, not {format!r}", code=2)
    with _reported("cost"):
        assumed = Assumptions.parse(assume)
        with ThreadPoolExecutor() as pool:
            declared = list(pool.map(Declared.of_stack, stack or ["dev", "prod"]))
        estimate = Estimate.of(declared, assumed, Prices.load())
    print(as_text(estimate) if format == "text" else json.dumps(as_document(estimate), indent=2))


_IMAGE_HELP = {
    "stack": "stack whose architectures are built for (default: OUTPOST_STACK, or dev)",
    "target": "image to build, such as claude; may be repeated (default: all)",
    "architecture": "X86_64 or ARM64; may be repeated (default: the stack's)",
    "dirty": "build although changes are not committed; the tag says so",
    "dry_run": "print the commands only",
}


@task(iterable=["target", "architecture"], help=_IMAGE_HELP, name="build")
def build_images(
    c: Context,
    target: list[str],
    architecture: list[str],
    stack: str = "",
    dirty: bool = False,
    dry_run: bool = False,
) -> None:
    """Build the images of this commit on this machine. Prints the tag. Needs docker, and no account."""
    from infra import deploy_images

    with _reported("images.build"):
        what = deploy_images.wanted(stack, target, architecture, dirty=dirty)
        deploy_images.build(what, _say, dry_run=dry_run)
    print(what.tag)


@task(
    iterable=["target", "architecture"],
    help={**_IMAGE_HELP, "yes": "do not ask"},
    name="push",
)
def push_images(
    c: Context,
    target: list[str],
    architecture: list[str],
    stack: str = "",
    dirty: bool = False,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    """Build and push the images of this commit that the registry does not have. Prints the tag."""
    from infra import deploy_images

    with _reported("images.push"):
        what = deploy_images.wanted(stack, target, architecture, dirty=dirty)
        deploy_images.push(what, stack, _say, dry_run=dry_run, yes=yes)
    print(what.tag)


@task(
    help={
        "stack": "stack to deploy (default: OUTPOST_STACK, or dev)",
        "preview": "print what would be called and changed, and change nothing",
        "yes": "do not ask",
        "dirty": "deploy although changes are not committed; the tag says so",
    }
)
def deploy(
    c: Context, stack: str = "", preview: bool = False, yes: bool = False, dirty: bool = False
) -> None:
    """Bring this commit up on AWS, also on an empty account. Exits with 3 when it runs but is unhealthy."""
    from infra import deploy as deployment
    from infra.operations.health import UnhealthyError

    with _reported("deploy"):
        try:
            outputs = deployment.run(stack, _say, preview_only=preview, yes=yes, dirty=dirty)
        except UnhealthyError as error:
            raise Exit(f"deploy: {error}", code=Verdict.FAILING) from error
    print(json.dumps(outputs, indent=2, sort_keys=True))


@task(
    iterable=["stack"],
    help={
        "stack": "stack to scan; may be repeated (default: dev and prod)",
        "accepted": "also what is accepted",
    },
)
def scan(c: Context, stack: list[str], accepted: bool = False) -> None:
    """Check the stacks as declared against Checkov's AWS rules. Exits with 1 for what nobody accepted."""
    from infra import scan as scanner

    with _reported("scan"):
        verdict = scanner.scan(stack or scanner.STACKS)
    if accepted:
        for finding, exception in verdict.accepted:
            print(f"accepted: {finding.stack} {finding.check} {finding.resource}: {exception.reason}")
    print(scanner.as_text(verdict))
    if not verdict.clean:
        raise Exit(code=1)


@task(
    help={
        "stack": "stack whose account is looked at (default: OUTPOST_STACK, or dev)",
        "local": "the local region, whatever the environment says",
    }
)
def audit(c: Context, stack: str = "", local: bool = False) -> None:
    """Check the deployed stack with Prowler. Takes minutes. Exits with 1 for what nobody accepted."""
    from infra.audit import audit as look
    from runbooks.target import Target

    with _reported("audit"):
        target = Target.from_environment(stack=stack, local=local)
        profile = target.profile or "of the environment"
        _say(f"audit: region {target.region}, stack {target.stack}, profile {profile}")
        accepted, found = look(target)
    for finding in found:
        print(finding)
    print(f"{accepted} findings accepted with a reason, {len(found)} open")
    if found:
        raise Exit(code=1)


images = Collection("images", build_images, push_images)
