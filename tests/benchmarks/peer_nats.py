"""One role of FastStream on NATS, or of nats-py alone; run by the python of the benchmark's own environment.

Imports nothing of ours. Speaks JSON lines: says ``"up"``, hears ``"go"``, says its result.

    python peer_nats.py <raw|faststream> <publisher|subscriber|responder|requester> <url> <count>
"""

import asyncio
import json
import sys
import time
from typing import Any

KIND, ROLE, URL, COUNT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
MESSAGE = {
    "header": {
        "action": "updated",
        "service_id": "ts_100",
        "service_name": "state_update",
        "service_transaction": "6FDAHH3WPRVV7FGZCRIN",
        "sequence": 0,
        "sent_at": 1732271234.123456,
    },
    "content": {
        "number": 0,
        "status": {
            "result": "success",
            "device_action": "pass_state1",
            "pid": 21398,
            "reason": "process is running within its limits",
            "memory": {"rss": 23.41, "vms": 311.07, "percent": 0.1873},
        },
        "notes": "x" * 26,
    },
}


def say(word: Any) -> None:
    print(json.dumps(word), flush=True)


async def hear() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


def models() -> Any:
    from pydantic import BaseModel

    class Header(BaseModel):
        action: str
        service_id: str
        service_name: str
        service_transaction: str
        sequence: int
        sent_at: float

    class Memory(BaseModel):
        rss: float
        vms: float
        percent: float

    class Status(BaseModel):
        result: str
        device_action: str
        pid: int
        reason: str
        memory: Memory

    class Reading(BaseModel):
        number: int
        status: Status
        notes: str

    class Message(BaseModel):
        header: Header
        content: Reading

    return Message


class Counting:
    """What a subscriber's handler does."""

    def __init__(self) -> None:
        self.got = 0

    def on(self, number: int) -> None:
        self.got += 1
        if number < 0:
            say([time.perf_counter(), self.got])


async def paced(call: Any, count: int) -> list[float]:
    for _ in range(50):
        await call()
    spent = []
    due = time.perf_counter()
    for _ in range(count):
        begin = time.perf_counter()
        await call()
        spent.append(time.perf_counter() - begin)
        due = max(due + 1 / 500, time.perf_counter() - 1 / 500)
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return spent


async def in_flight(call: Any) -> float:
    done, begin = 0, time.perf_counter()

    async def worker() -> None:
        nonlocal done
        while time.perf_counter() - begin < 1.0:
            await call()
            done += 1

    await asyncio.gather(*[worker() for _ in range(64)])
    return done / (time.perf_counter() - begin)


async def raw() -> None:
    import nats
    import orjson

    client = await nats.connect(URL, pending_size=8 << 20)
    if ROLE == "publisher":
        message = json.loads(json.dumps(MESSAGE))
        say("up")
        await hear()
        begin = time.perf_counter()
        for number in range(COUNT):
            message["header"]["sequence"] = message["content"]["number"] = number
            message["header"]["sent_at"] = time.time()
            await client.publish("process", orjson.dumps(message))
        message["content"]["number"] = -1
        await client.publish("process", orjson.dumps(message))
        await client.flush(timeout=60)
        say(begin)
    elif ROLE == "subscriber":
        counting = Counting()

        async def on_message(message: Any) -> None:
            counting.on(orjson.loads(message.data)["content"]["number"])

        await client.subscribe(
            "process", cb=on_message, pending_msgs_limit=10_000_000, pending_bytes_limit=4 << 30
        )
        await client.flush()
        say("up")
    elif ROLE == "responder":

        async def on_request(message: Any) -> None:
            question = orjson.loads(message.data)
            question["header"]["action"] = "reply"
            await message.respond(orjson.dumps(question))

        await client.subscribe("ask", cb=on_request)
        await client.flush()
        say("up")
    else:

        async def call() -> None:
            answer = await client.request("ask", orjson.dumps(MESSAGE), timeout=10)
            orjson.loads(answer.data)

        say("up")
        await hear()
        say([await paced(call, COUNT), await in_flight(call)])
    await hear()
    await client.close()


async def faststream() -> None:
    from faststream.nats import NatsBroker

    model = models()
    broker = NatsBroker(URL, logger=None)
    if ROLE == "subscriber":
        counting = Counting()

        @broker.subscriber("process")
        async def on_message(message: model) -> None:
            counting.on(message.content.number)

    if ROLE == "responder":

        @broker.subscriber("ask")
        async def on_request(message: model) -> model:
            return message

    await broker.start()
    if ROLE == "publisher":
        message = model.model_validate(MESSAGE)
        say("up")
        await hear()
        begin = time.perf_counter()
        for number in range(COUNT):
            message.header.sequence = message.content.number = number
            message.header.sent_at = time.time()
            await broker.publish(message, "process")
        message.content.number = -1
        await broker.publish(message, "process")
        say(begin)
    elif ROLE == "requester":
        message = model.model_validate(MESSAGE)

        async def call() -> None:
            answer = await broker.request(message, "ask", timeout=10)
            model.model_validate(await answer.decode())

        say("up")
        await hear()
        say([await paced(call, COUNT), await in_flight(call)])
    else:
        say("up")
    await hear()
    await broker.stop()


asyncio.run(raw() if KIND == "raw" else faststream())
