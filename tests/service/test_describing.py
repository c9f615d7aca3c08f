"""What a task speaks, read from its code: types of handlers, of what is published, asked and reported."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from context_bus.kernel.message import Message
from context_bus.service.describing import describe
from context_bus.service.description import Description, Said
from context_bus.service.handler import ServiceHandler
from context_bus.service.reports import ControlContent
from context_bus.service.subscription import subscribe
from context_bus.service.task import Task
from context_bus.service.taskservice import TaskService

PRICES = "prices"


class Price(msgspec.Struct):
    """What something costs.

    Args:
        symbol: What.
        value: How much, in
            Euro.
    """

    symbol: str
    value: float


@dataclasses.dataclass
class Order:
    """What somebody wants."""

    symbol: str
    count: int = 1


class Odd:
    """What JSON cannot carry."""


def price_of(symbol: str) -> Price:
    """Make one up."""
    return Price(symbol, 1.0)


def described(task: type[Task]) -> Description:
    """Describe the service of a task."""
    return describe(type("ServiceMine", (TaskService,), {"task_class": task}))


def said(task: type[Task]) -> dict[str, str]:
    """Type of what is published, by topic."""
    return {each.topic: each.type for each in described(task).says}


class Trading(Task):
    """Buys and sells.

    All day long.
    """

    #: Most that may be paid,
    #: in Euro.
    limit: float = 10.0
    symbols: list[str]
    log: Path | None = None
    _own: int = 0

    @subscribe("orders", policy="conflate")
    def on_order(self, order: Order) -> Price:
        """Answer with the price."""
        return price_of(order.symbol)

    @subscribe("news")
    async def on_news(self, news: Message[dict[str, int]]) -> None:
        self.notify("heard", items={"length": len(news.content), "by": self.service_id})

    def on_control(self, report: Message[ControlContent]) -> None: ...

    def run(self) -> None:
        self.publish("orders.sent", Order("X"), action="new")
        self.notify()


def test_handlers_tell_topic_type_and_answer() -> None:
    """As annotated, with their words; a handler of reports is one, too."""
    hears = {each.topic: each for each in described(Trading).hears}
    assert list(hears) == ["orders", "news", "control"]
    orders = hears["orders"]
    assert (orders.type, orders.reply, orders.policy) == ("Order", "Price", "conflate")
    assert orders.description == "Answer with the price."
    assert orders.place.startswith(f"{__file__}:")
    assert (hears["news"].type, hears["news"].reply) == ("dict[str, int]", "")


def test_configuration_tells_types_defaults_and_comments() -> None:
    """What a context file may and must say."""
    limit, symbols, log = described(Trading).parameters
    assert (limit.name, limit.type, limit.default) == ("limit", "float", "10.0")
    assert limit.description == "Most that may be paid, in Euro."
    assert (symbols.is_required, symbols.type, symbols.schema["type"]) == (True, "list[str]", "array")
    assert {"type": "string", "format": "path"} in log.schema["anyOf"]


def test_words_and_types_come_along() -> None:
    """Docstrings, schemas by name, fields with their own words."""
    found = described(Trading)
    assert found.description == "Buys and sells.\n\nAll day long."
    assert (found.service, found.task, found.doubts) == ("ServiceMine", "Trading", ())
    assert set(found.schemas) == {"Price", "Order"}
    price = found.schemas["Price"]
    assert price["description"] == "What something costs."
    assert price["properties"]["value"] == {"type": "number", "description": "How much, in Euro."}


def test_publishing_and_reports_are_found() -> None:
    """With verb and items."""
    found = described(Trading)
    assert [(each.topic, each.type, each.action) for each in found.says] == [("orders.sent", "Order", "new")]
    heard, updated = found.reports
    assert (heard.action, heard.items) == ("heard", {"length": "int", "by": "str"})
    assert (updated.action, updated.items) == ("updated", {})


class Talking(Task):
    """Publishes in every way that people write."""

    price: Price

    def run(self) -> None:
        self.publish("constructed", Price("X", 1.0))
        self.publish(topic="by_keyword", content=Order("X"))
        self.publish("returned", price_of("X"))
        self.publish("of_method", self.latest())
        local = price_of("X")
        self.publish("local", local)
        self.publish(PRICES, self.price)
        self.publish("field", local.value)
        self.publish("text", f"{local}")
        self.publish("number", 1)
        self.publish("many", [Price("X", 1.0)])
        self.publish("listed", [price_of(each) for each in "abc"])
        self.publish("dict", {"a": 1, "b": {"c": local}})
        self.publish("asdict", msgspec.structs.asdict(local))
        self.publish("either", price_of("X") if local.value > 1 else Price("X", 2.0))

    def latest(self) -> Price:
        """The latest one."""
        return self.price

    def tell(self, price: Price) -> None:
        """Tell."""
        self.publish("parameter", price)


def test_types_are_inferred_from_what_people_write() -> None:
    """Constructors, return annotations, local names, attributes, literals."""
    assert said(Talking) == {
        "constructed": "Price",
        "by_keyword": "Order",
        "returned": "Price",
        "of_method": "Price",
        "local": "Price",
        "prices": "Price",
        "field": "float",
        "text": "str",
        "number": "int",
        "many": "list[Price]",
        "listed": "list[Price]",
        "dict": "{a: int, b: {c: Price}}",
        "asdict": "{symbol: str, value: float}",
        "either": "Price",
        "parameter": "Price",
    }
    assert described(Talking).doubts == ()


class Vague(Task):
    """Publishes what nobody can tell from the source."""

    def run(self) -> None:
        thing: Any = None
        for thing in ([], {}):
            self.publish("unknown", thing)
        one: object = Price("X", 1.0)
        one = Order("X")
        self.publish("two", one)
        self.publish(f"topic.{self.service_id}", 1)


def test_what_cannot_be_told_is_said() -> None:
    """A doubt for each, with file, line and what to do."""
    found = described(Vague)
    assert {each.topic: each.type for each in found.says} == {"unknown": "", "two": ""}
    unknown, two, late = sorted(found.doubts, key=lambda doubt: int(doubt.split(":")[1]))
    assert "what it sends on 'unknown' cannot be told from here; say so in publishes" in unknown
    assert "on 'two'" in two
    assert late.endswith("which topic it publishes on is known at run time only")


class Declared(Task):
    """Says what it publishes, and does not always do so."""

    publishes: ClassVar = {"prices": Price, "elsewhere": list[Order]}

    def run(self) -> None:
        thing: Any = object()
        self.publish("prices", thing)
        self.publish("prices", Order("X"))
        self.publish("more", 1)


def test_declaration_counts_and_is_checked() -> None:
    """What the class says is told; where its code contradicts, that is told, too."""
    found = described(Declared)
    assert {each.topic: each.type for each in found.says} == {
        "prices": "Price",
        "elsewhere": "list[Order]",
        "more": "int",
    }
    contradiction, silence = found.doubts
    assert contradiction.endswith("it publishes Order on 'prices', which publishes says carries Price")
    assert silence.endswith("it publishes on 'more', of which publishes says nothing")
    assert [parameter.name for parameter in found.parameters] == []


class Asking(Task):
    """Asks others."""

    def run(self) -> None:
        self.request("prices", "X", type=Price)
        self.request("plain", Order("X"), timeout=1.0)


def test_questions_are_found() -> None:
    """With the type of the answer, where one is given."""
    asked = {each.topic: each for each in described(Asking).says}
    assert all(each.is_question for each in asked.values())
    assert (asked["prices"].type, asked["prices"].reply) == ("str", "Price")
    assert (asked["plain"].type, asked["plain"].reply) == ("Order", "")


class Inheriting(Talking):
    """Does what its base does, and more."""

    def run(self) -> None:
        self.publish("own", 1)


def test_bases_speak_too() -> None:
    """What a base of the user's publishes is told of its subclass."""
    topics = said(Inheriting)
    assert topics["own"] == "int"
    assert topics["parameter"] == "Price"


class Refused(Task):
    """Has types that JSON cannot carry, and a handler that cannot be one."""

    odd: Odd | None = None

    @subscribe("two")
    def on_two(self, one: int, two: int) -> None: ...


def test_what_is_no_type_is_a_doubt() -> None:
    """The rest is told all the same."""
    found = described(Refused)
    assert found.parameters[0].schema == {}
    assert any(doubt.endswith("JSON cannot carry Odd | None") for doubt in found.doubts)
    assert any("takes 2 arguments" in doubt for doubt in found.doubts)


class ServiceOld(ServiceHandler):
    """A service in the old shape."""


def test_services_of_old_are_named() -> None:
    """Their words are told, and that no more is known."""
    found = describe(ServiceOld)
    assert found.description == "A service in the old shape."
    assert "cannot be told" in found.doubts[0]


def test_description_survives_the_wire() -> None:
    """It goes from process to process as JSON."""
    found = described(Trading)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Description) == found


@pytest.mark.parametrize("name", ["topic", "place"])
def test_every_saying_has_its_place(name: str) -> None:
    """Nothing is told without the line where it stands."""
    assert all(isinstance(each, Said) and getattr(each, name) for each in described(Talking).says)
