"""``plot``: CPU and memory of services over time, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.moments import check_range, fitting_step, range_options
from context_bus.cli.output import remark, say
from context_bus.cli.records_options import only_transaction, records_options
from context_bus.errors import NothingRecorded, StoreError

if TYPE_CHECKING:
    from context_bus.store.place import Place
    from context_bus.view.marks import Mark
    from context_bus.view.plot import Curve

#: Points of a line at most.
POINTS = 300
#: Services in one picture, unless they are named.
MOST = 10


@click.command(
    "plot",
    epilog=examples(
        "{command} --since 1h -o use.png -c Conf/Context-EchoAction.xml",
        "{command} ts_100 --since 7d -o week.svg",
    ),
)
@click.argument("names", nargs=-1, metavar="[SERVICE...]")
@range_options()
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to draw into: .png, .svg or .pdf.",
)
@only_transaction()
@records_options(as_json=False)
def command(
    names: tuple[str, ...],
    since: float,
    until: float,
    output: Path,
    transaction: str,
    context_file: Path | None,
    state: str,
    store: str,
) -> None:
    """Draw CPU and memory of services over time, as their monitor has recorded them, and mark their starts,
    restarts, stops and failures.

    Without names: of all services, of the ten largest if there are more. The provider need not run. Needs the
    extra [plot]. Exits with 9 if nothing is recorded.
    """
    from context_bus.client.recorded import choose_series, open_records, place_for
    from context_bus.view.plot import Curve, Plot, check_kind, write_plot

    check_range(since, until)
    check_kind(output)
    place = place_for(context_file, state)
    width = fitting_step(until - since, POINTS)
    with open_records(place, store) as records:
        chosen = choose_series(records.series(counted=False), names, transaction, since, until)
        curves = [
            Curve(each.service_id, records.history(each.service_id, each.transaction, since, until, width))
            for each in chosen
        ]
    transaction = chosen[0].transaction
    if not names:
        curves = _largest(curves)
    marks = _marks(place, store, transaction, [each.service_id for each in curves], since, until)
    title = f"CPU and memory of {Path(place.file).name}, transaction {transaction}"
    write_plot(Plot(title, since, until, width, curves, marks), output)
    say(str(output))


def _largest(curves: list[Curve]) -> list[Curve]:
    """Those that are drawn if none is named; in their order."""

    def size(curve: Curve) -> float:
        return max((row.rss.max for row in curve.rows if row.rss), default=0.0)

    kept = sorted(curves, key=size, reverse=True)[:MOST]
    if len(curves) > MOST:
        remark(f"the {MOST} largest of {len(curves)} services are drawn; name others to see them")
    return [curve for curve in curves if curve in kept]


def _marks(
    place: Place, store: str, transaction: str, services: Sequence[str], since: float, until: float
) -> list[Mark]:
    """What happened to them; without it the picture is drawn all the same."""
    from context_bus.client.recorded import events_since, open_store
    from context_bus.view.marks import marks_of

    try:
        with open_store(place, store) as reader:
            return list(marks_of(events_since(reader, since), transaction, services, since, until))
    except NothingRecorded:  # the provider has just begun
        return []
    except StoreError as error:
        remark(f"nothing is marked: {error}")
        return []
