"""Cron expressions: what is wrong with one, and when it comes due next.

Pure but for the rules of the local time zone, which it asks of the C library; time comes in as an argument.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

#: Longest expression, in characters; a stranger's million of commas is not parsed.
MAX_LENGTH = 200
#: Where the search for a first time begins; cronsim looks 50 years ahead, leap years of all kinds among them.
_ORIGIN = datetime(2000, 1, 1)
#: Fields of an expression: five as in crontab(5), or a field of seconds before them.
_FIELDS = (5, 6)


def check(expression: str) -> str:
    """Say what is wrong with an expression.

    Args:
        expression: Five fields as in crontab(5), names and ``L``, ``LW``, ``#`` as cronsim has them, or six
            with the seconds first.

    Returns:
        The fault, that it never comes due included; empty if there is none.
    """
    from cronsim import CronSim, CronSimError

    fields = expression.split()
    if len(expression) > MAX_LENGTH:
        return f"longer than {MAX_LENGTH} characters"
    if len(fields) not in _FIELDS:
        count = f"{len(fields)} field" if len(fields) == 1 else f"{len(fields)} fields"
        return f"{count}, expected minute, hour, day of month, month and day of week"
    try:
        next(CronSim(expression, _ORIGIN), None)
    except CronSimError as error:
        # A day that its months do not have is refused like a slip of the pen: without months it is no slip.
        return "never comes due: no such day in these months" if _is_sound(fields) else _say(error)
    if next(CronSim(expression, _ORIGIN), None) is None:
        return "never comes due"
    return ""


def next_after(expression: str, wall: float) -> float:
    """The first time after a moment at which an expression comes due, in the local time zone.

    A time that the clock skips in spring comes due right after the gap; one that it shows twice in autumn
    comes due once, unless the expression means every minute or every hour.

    Args:
        expression: One that `check` has no fault with.
        wall: Seconds since the epoch.

    Returns:
        Seconds since the epoch, later than ``wall``.

    Raises:
        ValueError: It never comes due, or is no expression.
    """
    from cronsim import CronSim, CronSimError

    try:
        for moment in CronSim(expression, datetime.fromtimestamp(wall, _LOCAL)):
            stamp = moment.timestamp()
            # In the second pass of a repeated hour cronsim names times of the first: they are past.
            if stamp > wall:
                return stamp
    except CronSimError as error:
        raise ValueError(f'"{expression}" is no cron expression: {_say(error)}') from None
    raise ValueError(f'"{expression}" never comes due')


def _is_sound(fields: list[str]) -> bool:
    from cronsim import CronSim, CronSimError

    try:
        CronSim(" ".join([*fields[:-2], "*", fields[-1]]), _ORIGIN)
    except CronSimError:
        return False
    return True


def _say(error: Exception) -> str:
    """``Bad day-of-month`` in the words of the other faults."""
    text = str(error)
    return f"the field {text.removeprefix('Bad ')} is malformed" if text.startswith("Bad ") else text.lower()


class _Local(tzinfo):
    """The time zone of this process, changes of the clock included; a fixed offset would not know them."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return timedelta(0)
        return moment.replace(tzinfo=None).astimezone().utcoffset() or timedelta(0)

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        shown = moment.replace(tzinfo=UTC).astimezone()
        first = shown.replace(tzinfo=None, fold=0)
        is_second = first.astimezone().utcoffset() != shown.utcoffset()
        return first.replace(tzinfo=self, fold=int(is_second))


_LOCAL = _Local()
