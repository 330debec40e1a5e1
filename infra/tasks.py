"""Tasks that deploy the stack and say what it costs. Thin: parse, call one function, print, exit code."""

import json

from invoke import Context, Exit, task


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
    from outpost.errors import OutpostError

    if format not in ("text", "json"):
        raise Exit(f"cost: --format is text or json, not {format!r}", code=2)
    try:
        assumed = Assumptions.parse(assume)
        with ThreadPoolExecutor() as pool:
            declared = list(pool.map(Declared.of_stack, stack or ["dev", "prod"]))
        estimate = Estimate.of(declared, assumed, Prices.load())
    except OutpostError as error:
        raise Exit(f"cost: {error}", code=1) from error
    print(as_text(estimate) if format == "text" else json.dumps(as_document(estimate), indent=2))
