"""Invoke tasks: parse, call one function, print, set the exit code.

Tasks that belong to one part are declared in `tasks_*.py` next to this file once they outgrow it.
"""

from invoke import Collection, Context, Exit, task

from benchmarks.tasks import bench
from infra.operations import dispatch_tasks
from infra.operations import tasks as operations
from infra.operations.key_tasks import keys
from infra.tasks import audit, cost, deploy, images, scan
from local import tasks as local_tasks
from runbooks import tasks as runbooks_tasks


def _run(c: Context, *commands: str) -> None:
    """Run each command, all of them even if one fails; exit 1 if any did."""
    failed = [command for command in commands if not c.run(command, warn=True, pty=False)]
    if failed:
        raise Exit("\n".join(f"failed: {command}" for command in failed), code=1)


@task
def lint(c: Context) -> None:
    """Style, types and the direction of imports."""
    _run(
        c,
        "python -m ruff check .",
        "python -m ruff format --check .",
        "python -m mypy",
        "lint-imports --no-logo",
    )


@task(help={"k": "only tests whose names match", "fast": "leave out what needs a local region"})
def test(c: Context, k: str = "", fast: bool = False) -> None:
    """Run the tests: three processes, since many tests wait for what the local region does, on two cores."""
    selection = (f" -k '{k}'" if k else "") + (" -m 'not region'" if fast else "")
    _run(c, f"python -m pytest -n 3 --dist loadfile{selection}")


@task(help={"check": "change nothing; exit 1 when a generated file is stale"})
def docs(c: Context, check: bool = False) -> None:
    """Write what docs/ takes from the declarations: guide, faults, settings, the architecture's diagram."""
    from infra import documents
    from local import documents as local_documents
    from runbooks import guide
    from tests.runbooks.faults import table

    stale = [
        *guide.write(check=check),
        *table.write(check=check),
        *documents.write(check=check),
        *local_documents.write(check=check),
    ]
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path}")
    if check and stale:
        raise Exit("run ./inv docs", code=1)


@task
def demo(c: Context) -> None:
    """Show the whole story in a local region of its own: deploy, dispatch, break, diagnose, mend."""
    from local import demo as story
    from outpost.errors import OutpostError

    try:
        story.run(lambda text: print(text, flush=True))
    except OutpostError as error:
        raise Exit(f"demo: {error}", code=1) from error
    except KeyboardInterrupt:
        raise Exit("demo: interrupted", code=130) from None


@task
def lock(c: Context) -> None:
    """Write the lock files anew: of this checkout and of the images (needs uv)."""
    compile_ = "uv pip compile --generate-hashes --no-emit-index-url -q --custom-compile-command './inv lock'"
    image = f"{compile_} --python-version 3.12 --python-platform linux"
    _run(
        c,
        f"{compile_} --python-version 3.11 --universal --all-extras --group dev -o requirements.lock"
        " pyproject.toml",
        f"{compile_} --python-version 3.11 --universal -o infra/scan.lock infra/scan.in",
        f"{compile_} --python-version 3.11 --universal -o infra/audit.lock infra/audit.in",
        f"{image} --extra service -o images/service.lock pyproject.toml",
        f"{image} -o images/aider/requirements.lock images/aider/requirements.in",
    )


namespace = Collection(
    lint, test, demo, bench, lock, runbooks_tasks.diagnose, docs, cost, deploy, scan, audit
)
for each in (*operations.TASKS, *dispatch_tasks.TASKS):
    namespace.add_task(each)
namespace.add_collection(operations.secrets)
namespace.add_collection(keys)
namespace.add_collection(images)
namespace.add_collection(runbooks_tasks.namespace, name="runbooks")
namespace.add_collection(local_tasks.namespace, name="local")
