"""``monitor history``: what a service has used, summed up by intervals of time."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from context_bus.cli.lazy import examples
from context_bus.cli.moments import Duration, check_range, fitting_step, range_options
from context_bus.cli.output import say, say_json, say_table
from context_bus.cli.records_options import only_transaction, records_options

if TYPE_CHECKING:
    from context_bus.monitor.buckets import Bucket, Figures
    from context_bus.monitor.records import Series

#: Intervals that are shown at most, unless their length is said.
ROWS = 60
#: Intervals at most; more are asked for by accident.
MOST = 100_000
#: Characters of a line that is drawn.
WIDTH = 60
QUANTITIES = ("cpu", "rss", "threads", "descriptors", "processes")
PARTS = ("min", "avg", "p95", "max")
CPU, RSS = "CPU %", "RSS MiB"
COLUMNS = ("time", "n", "cpu min", "avg", "p95", "max", "rss min", "avg", "p95", "max", "threads", "fds")


@click.command(
    "history",
    epilog=examples(
        "{command} ts_100 --since 1h -c Conf/Context-EchoAction.xml",
        "{command} ts_100 --since 7d --bucket 1h --csv",
    ),
)
@click.argument("service", metavar="SERVICE")
@range_options()
@click.option(
    "--bucket", type=Duration(), help="Sum up by so much time: 10s, 1m, 1h.  [default: 60 rows or less]"
)
@only_transaction()
@click.option("--csv", "as_csv", is_flag=True, help="Print the result as CSV.")
@records_options()
def command(
    service: str,
    since: float,
    until: float,
    bucket: float | None,
    transaction: str,
    as_csv: bool,
    context_file: Path | None,
    state: str,
    store: str,
    as_json: bool,
) -> None:
    """Show what a service has used, as its monitor has recorded it: CPU in percent of one processor, resident
    memory in MiB, both with all its descendants; threads and open descriptors of itself.

    For each interval its least, mean, 95th percentile and greatest value; n is how many records there are.
    The provider need not run. Exits with 9 if nothing is recorded.
    """
    from context_bus.client.recorded import choose_series, open_records, place_for

    if as_csv and as_json:
        raise click.UsageError("choose one of --csv and --json")
    check_range(since, until)
    with open_records(place_for(context_file, state), store) as records:
        found = choose_series(records.series(counted=False), [service], transaction, since, until)
        chosen = next((each for each in found if each.service_id == service), found[0])
        width = bucket or fitting_step(min(until, chosen.last + 1) - max(since, chosen.first), ROWS)
        if (until - since) / width > MOST:
            raise click.UsageError(f"more than {MOST} intervals; choose a longer --bucket")
        rows = records.history(chosen.service_id, chosen.transaction, since, until, width)
    if as_json:
        say_json(_document(chosen, since, until, width, rows))
    elif as_csv:
        _say_csv(rows)
    else:
        _say_rows(chosen, since, until, width, rows)


def _document(
    chosen: Series, since: float, until: float, width: float, rows: Sequence[Bucket]
) -> dict[str, object]:
    return {
        "service_id": chosen.service_id,
        "transaction": chosen.transaction,
        "since": since,
        "until": until,
        "bucket": width,
        "buckets": rows,
    }


def _say_csv(rows: Sequence[Bucket]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        ["at", "time", "samples", "gone", *(f"{name}_{part}" for name in QUANTITIES for part in PARTS)]
    )
    for row in rows:
        figures = [getattr(row, name) for name in QUANTITIES]
        cells = [getattr(each, part) if each else "" for each in figures for part in PARTS]
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(row.at))
        writer.writerow([row.at, moment, row.samples, row.gone, *cells])


def _say_rows(chosen: Series, since: float, until: float, width: float, rows: Sequence[Bucket]) -> None:
    from context_bus.config.quantities import say_duration, say_moment

    say(f"{chosen.service_id} of {chosen.transaction}, {say_moment(since)} to {say_moment(until)}")
    say(_line(CPU, rows, width, lambda row: row.cpu))
    say(_line(RSS, rows, width, lambda row: row.rss))
    say(f"by {say_duration(width)}:")
    is_one_day = time.localtime(since)[:3] == time.localtime(until)[:3]
    form = "%H:%M:%S" if is_one_day else "%m-%d %H:%M" if width >= 60 else "%m-%d %H:%M:%S"
    say_table(COLUMNS, [[*_cells(row, form)] for row in rows])


def _line(name: str, rows: Sequence[Bucket], width: float, of: Callable[[Bucket], Figures | None]) -> str:
    """The means as a drawing, with the least and the greatest of all."""
    from context_bus.view.figures import curve, thinned

    by_place = {round(row.at / width): figures.avg for row in rows if (figures := of(row))}
    known = [figures for row in rows if (figures := of(row))]
    if not known:
        return f"{name:8} -"
    values = [by_place.get(place) for place in range(min(by_place), max(by_place) + 1)]
    if values.count(None) > len(values) / 2:
        # Looked at less often than once in an interval: what lies between is no gap.
        values = [value for value in values if value is not None]
    least, greatest = min(each.min for each in known), max(each.max for each in known)
    drawn = thinned(values, WIDTH)
    means = [value for value in drawn if value is not None]
    # Of memory the changes tell more than the height; both ends are said.
    bottom = 0.0 if name == CPU else min(means)
    return f"{name:8} {curve(drawn, len(drawn), max(means), bottom)}  {least:.1f} to {greatest:.1f}"


def _cells(row: Bucket, form: str) -> Iterator[object]:
    yield time.strftime(form, time.localtime(row.at))
    yield row.samples
    for figures in (row.cpu, row.rss):
        for part in PARTS:
            yield f"{getattr(figures, part):.1f}" if figures else None
    for figures in (row.threads, row.descriptors):
        yield f"{figures.max:.0f}" if figures else None
