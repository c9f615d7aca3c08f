"""Services that keep what they say, and services that begin with what was said before they were there."""

from __future__ import annotations

import os
import signal

from tests.service.conftest import SOON, Site

KEEPS = """
class Work(Task):
    word: str
    def setup(self):
        self.keep("weather")
        self.publish("weather", "old")
        self.publish("weather", self.word)
    def run(self):
        self.wait(60.0)
"""
HEARS = """
class Work(Task):
    @subscribe("weather", last=True)
    def hear(self, message: Message[str]):
        self.notify("updated", items={"heard": message.content, "kept": message.header.kept is True})
"""
HEARS_NEWEST = HEARS.replace("last=True", 'policy="conflate", last=True')
HEARS_ASYNC = HEARS.replace("def hear", "async def hear")


def test_a_service_that_starts_late_knows_what_others_said_last(site: Site) -> None:
    """Plain, conflating and async handlers; two senders with one value each, and none of those before."""
    for name, word in (("A", "sun"), ("B", "rain")):
        site.write(f"Keeps{name}", KEEPS)
        site.spawn(site.boot(f"Keeps{name}", {"word": word}, service_id=name))
        assert site.report(name)[0] == "started"
    for number, task in enumerate((HEARS, HEARS_NEWEST, HEARS_ASYNC)):
        site.write(f"Hears{number}", task)
        site.spawn(site.boot(f"Hears{number}", service_id=f"late{number}"))
        assert site.report(f"late{number}")[0] == "started"
        heard = [site.report(f"late{number}")[1] for _ in range(2)]
        assert sorted((status["heard"], status["kept"]) for status in heard) == [
            ("rain", True),
            ("sun", True),
        ]


def test_the_value_of_a_restarted_service_is_that_of_its_new_process(site: Site) -> None:
    """The old process took its value along; a late joiner hears the new one only."""
    site.write("Keeps", KEEPS)
    for word in ("first", "second"):
        child = site.spawn(site.boot("Keeps", {"word": word}, service_id="station"))
        assert site.report("station")[0] == "started"
        if word == "first":
            os.kill(child.pid, signal.SIGKILL)
            child.wait(SOON)
    site.write("Hears", HEARS)
    site.spawn(site.boot("Hears", service_id="late"))
    assert site.report("late")[0] == "started"
    assert site.report("late")[1]["heard"] == "second"
    with site.bus.publisher() as witness:
        witness.wait_for_subscriber("weather", SOON)
        witness.publish("weather", "live")
    assert site.report("late")[1] == {
        "result": "success",
        "device_action": "act",
        "heard": "live",
        "kept": False,
    }
