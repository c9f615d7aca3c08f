"""Places of the generated files."""

from __future__ import annotations

from pathlib import Path

from context_bus.scaffold.layout import context_of, layout_of
from tests.scaffold.lists import service, service_list

HOME = Path("/home/me")
BASE = Path("/srv/here")


def test_files_lie_below_the_service_path() -> None:
    """Services below service_path, the context file too unless home_path says otherwise."""
    layout = layout_of(service_list(HOME), BASE)
    assert layout.task(service()) == HOME / "Services/EchoAction/EchoAction.py"
    assert layout.context == HOME / "Conf/Context-EchoAction.xml"
    assert layout.location == "/home/me/Services"


def test_home_path_moves_the_context_file_only() -> None:
    """Conf/ hangs off home_path, Services/ off service_path."""
    layout = layout_of(service_list(HOME, home_path="/etc/bus"), BASE)
    assert layout.context == Path("/etc/bus/Conf/Context-EchoAction.xml")
    assert layout.host(service()) == HOME / "Services/EchoAction/ServiceEchoAction.py"


def test_relative_path_makes_a_tree_that_can_be_moved() -> None:
    """The context file finds its services relative to itself."""
    layout = layout_of(service_list(Path("..")), BASE / "Conf")
    assert layout.services == BASE / "Services"
    assert layout.context == BASE / "Conf/Context-EchoAction.xml"
    assert layout.location == "../Services"


def test_location_of_a_service_wins() -> None:
    """Service before list before default."""
    conf = service_list(HOME, service(), service(task_id="b", location="/own"), location="/all")
    services = context_of(conf, layout_of(conf, BASE)).services
    assert [one.location for one in services] == ["/all", "/own"]


def test_context_binds_to_the_server_address_only() -> None:
    """Ports are crossed as ever, and nothing is bound to all interfaces."""
    conf = service_list(HOME)
    context = context_of(conf, layout_of(conf, BASE))
    assert context.front_end_endpoint == context.backend_bind == "tcp://127.0.0.1:5556"
    assert context.backend_endpoint == context.front_bind == "tcp://127.0.0.1:5557"
