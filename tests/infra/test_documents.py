"""What docs/ takes from the program is up to date, and the diagram shows what is declared and no more."""

from infra import documents
from infra.diagram import draw
from infra.rendering import Declared
from infra.settings import camel, declared


def test_the_committed_documents_are_what_the_program_says() -> None:
    assert documents.write(check=True) == [], "run ./inv docs"


def test_every_setting_is_in_the_table() -> None:
    table = documents.settings_table()
    assert all(f"| `outpost:{camel(field.name)}` |" in table for field in declared())


def test_the_diagram_shows_the_way_of_a_request_and_what_agents_cannot_reach() -> None:
    arrows = draw(Declared.of_stack("dev")).arrows
    assert arrows["world", "balancer"] == {"TCP 80"}
    assert arrows["balancer", "control_plane"] == {"TCP 8080"}
    assert ("world", "control_plane") not in arrows
    assert {target for source, target in arrows if source == "agents"} == {
        "control_plane",
        "internet",
        "logs",
        "queues_events",
        "topic",
        "workspaces",
    }


def test_a_rule_that_is_added_is_drawn() -> None:
    arrows = draw(Declared.of_stack("dev", {"outpost:workerEgressPorts": "[443, 22]"})).arrows
    assert arrows["agents", "internet"] == {"TCP 443", "TCP 22"}
