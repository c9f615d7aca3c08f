"""What a provider takes over from those before it: processes that outlived them, and what was wanted.

Knows the guardian, the journal and the spawner; must not decide what becomes of a service.
"""

from __future__ import annotations

import asyncio

from context_bus.config.model import ContextConf
from context_bus.context.adopting import Adoption, sort_out
from context_bus.context.card import card_file, read_card
from context_bus.context.eventlog import EventLog
from context_bus.context.events import Found, Resumed
from context_bus.context.instances import base_of
from context_bus.context.instructions import SpawnChild
from context_bus.context.journal import Journal, Keep
from context_bus.context.preloading import FORWARDER
from context_bus.context.spawner import Spawner
from context_bus.errors import EndpointError
from context_bus.process.child import Child
from context_bus.process.ending import end_now
from context_bus.process.keeping import is_there
from context_bus.process.spawn import adopt, kill_all, warm_up


class Heritage:
    """What one provider inherits.

    Args:
        keep: Where what must survive is kept; None keeps nothing.
        journal: What is written there.
    """

    def __init__(self, keep: Keep | None, journal: Journal | None) -> None:
        self._keep, self._journal = keep, journal
        self._adoption: Adoption | None = None

    @property
    def forwarder(self) -> Child | None:
        """The forwarder of the provider before, if it lives."""
        return self._adoption.forwarder if self._adoption is not None else None

    async def usable(self) -> None:
        """Wait until what earlier providers kept can be read.

        Raises:
            StoreError: It cannot.
        """
        if self._journal is not None:
            await self._journal.usable()

    async def find_guardian(self, conf: ContextConf) -> None:
        """Have a guardian: a new one, or that of an earlier provider with all that it kept.

        Args:
            conf: The file.

        Raises:
            ProcessError: There can be none.
            StoreError: There is one, but the store cannot be used; whatever it keeps goes on running.
            EndpointError: What it keeps speaks on other endpoints than the file has now; as above.
        """
        keep = self._keep
        if keep is not None and is_there(str(keep.place.guardian)):
            # What is adopted ends with its owner, so who will be refused must not become one.
            await self.usable()
            if not keep.is_fresh:
                _refuse_to_move(keep, conf)
        kept = await asyncio.to_thread(adopt, str(keep.place.guardian)) if keep is not None else None
        if keep is None or kept is None:
            at = str(keep.place.guardian) if keep is not None and keep.outlives else None
            warm_up(FORWARDER, at)
        elif keep.is_fresh:
            await asyncio.to_thread(kill_all)
        else:
            self._adoption = sort_out(kept)
            await asyncio.to_thread(end_now, self._adoption.strangers)

    async def open(self, log: EventLog, spawner: Spawner, conf: ContextConf) -> Resumed | None:
        """Open what earlier providers kept, and take over their processes.

        Args:
            log: Goes on counting.
            spawner: Goes on with the processes.
            conf: The file, for services whose definition of old cannot be read.

        Returns:
            What is to be brought back, if anything.

        Raises:
            StoreError: The store cannot be used.
        """
        if self._journal is None:
            log.begin(1)
            return None
        resumed, sequence = await self._journal.open(self._adoption)
        log.begin(sequence)
        if self._adoption is not None:
            await _take_over(self._adoption, resumed, spawner, conf)
        return resumed


def _refuse_to_move(keep: Keep, conf: ContextConf) -> None:
    card = read_card(card_file(keep.place))
    if card is None or (card.publish_to, card.listen_on) == (conf.backend_endpoint, conf.front_end_endpoint):
        return
    raise EndpointError(
        f"{conf.file}: its services run on, on {card.publish_to} (to publish) and {card.listen_on} "
        "(to listen); name these endpoints again to go on with them, or start with --fresh to end them"
    )


async def _take_over(
    adoption: Adoption, resumed: Resumed | None, spawner: Spawner, conf: ContextConf
) -> None:
    """Go on with the processes that somebody still knows; the others end."""
    found = {(each.key, each.incarnation): each for each in resumed.services} if resumed else {}
    unknown = []
    for name, child in adoption.services.items():
        order = _order(found.get(name), conf)
        if order is not None:
            spawner.adopt(order, child)
        else:
            unknown.append(child)
    await asyncio.to_thread(end_now, unknown)


def _order(found: Found | None, conf: ContextConf) -> SpawnChild | None:
    """The order that made a process, as far as it matters afterwards."""
    if found is None:
        return None
    own = found.conf or conf.service(base_of(found.key.service_id))
    return SpawnChild(found.key, found.incarnation, own, run_now=True) if own is not None else None
