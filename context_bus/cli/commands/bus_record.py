"""``bus record``: write the messages of topics into a file, to be played again."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Self

import click

from context_bus.cli.endpoint_options import listen_option
from context_bus.cli.lazy import examples
from context_bus.cli.options import Seconds, Size, json_option
from context_bus.cli.output import remark, say, say_json
from context_bus.cli.progress import Progress
from context_bus.cli.wording import in_bytes, plural, span
from context_bus.client.whereabouts import endpoints_of
from context_bus.errors import RecordingError

if TYPE_CHECKING:
    from context_bus.bus.recorder import Recorder
    from context_bus.bus.recording import Writer


@click.command(
    "record",
    epilog=examples(
        "{command} prices orders -o monday.rec",
        "{command} --all -o all.rec --duration=60 --compress -c Conf/Context-EchoAction.xml",
    ),
)
@click.argument("topics", metavar="[TOPIC]...", nargs=-1)
@listen_option
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File to write; it must not be there yet.",
)
@click.option("-a", "--all", "every", is_flag=True, help="Record every topic.")
@click.option("--duration", type=Seconds(positive=True), help="End after so many seconds.")
@click.option(
    "--max_size", "--max-size", type=Size(), help="End when the file has about so many bytes: 500K, 20M, 2G."
)
@click.option("--compress", is_flag=True, help="Compress; costs some of the speed.")
@click.option("--force", is_flag=True, help="Overwrite the file if it is there.")
@json_option("Print the result as JSON.")
def command(
    topics: tuple[str, ...],
    listen: str | None,
    context_file: Path | None,
    output: Path,
    every: bool,
    duration: float | None,
    max_size: int | None,
    compress: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Record the messages of topics until Ctrl-C, which ends it in order.

    What came is written once a second. A recorder that is killed loses that second and no more.
    """
    from context_bus.bus.publisher import check_topic
    from context_bus.bus.recorder import Recorder
    from context_bus.bus.recording import About, Writer

    if bool(topics) == every:
        what = "either TOPICs or --all" if every else "name TOPICs, or --all for every one"
        raise click.UsageError(f"what to record? {what}", click.get_current_context())
    endpoint = endpoints_of(context_file, None, listen).listen
    for topic in topics:
        check_topic(topic)
    with _file(output, force) as file, Asked() as asked:
        writer = Writer(file, About(time.time_ns(), endpoint, topics), deflate=compress)
        with Recorder(endpoint, topics, writer) as recorder:
            try:
                _run(recorder, writer, asked, duration, max_size)
            except OSError as error:
                raise _full(output, error, writer) from None
        _report(output, recorder, writer, as_json)


def _run(
    recorder: Recorder,
    writer: Writer,
    asked: Asked,
    duration: float | None,
    max_size: int | None,
) -> None:
    from context_bus.bus.recorder import LAST_FRAMES

    with Progress() as progress:

        def is_full() -> bool:
            return max_size is not None and writer.size + recorder.waiting >= max_size

        def is_over() -> bool:
            progress.show(lambda: _line(recorder, writer))
            return asked.is_asked or is_full()

        def tell_link(is_up: bool) -> None:
            from context_bus.cli.listen import report_link

            progress.clear()
            report_link(recorder.endpoint, is_up)

        recorder.on_link = tell_link
        recorder.run(is_over, asked.fileno(), duration, progress.interval)
        recorder.finish(0 if is_full() else LAST_FRAMES)


def _line(recorder: Recorder, writer: Writer) -> str:
    size = in_bytes(writer.size + recorder.waiting)
    missed = f", missed {recorder.tallies.missed:,}" if recorder.tallies.missed else ""
    return (
        f"recording  {span(recorder.elapsed)}  {plural(recorder.tallies.messages, 'message')}  {size}{missed}"
    )


def _report(path: Path, recorder: Recorder, writer: Writer, as_json: bool) -> None:
    tallies = recorder.tallies
    messages, missed, topics = tallies.messages, tallies.missed, len({row.topic for row in tallies.rows()})
    if as_json:
        say_json(
            {
                "file": str(path),
                "seconds": recorder.elapsed,
                "messages": messages,
                "topics": topics,
                "bytes": writer.size,
                "missed": missed,
                "strangers": tallies.strangers,
            }
        )
    else:
        on = f" on {plural(topics, 'topic')}" if messages else ""
        say(
            f"recorded {plural(messages, 'message')}{on} in {span(recorder.elapsed)} to {path} "
            f"({in_bytes(writer.size)})"
        )
    if missed:
        remark(f"missed {plural(missed, 'message')}, by their numbers; 'bus info {path}' says of whom")
    if tallies.strangers:
        remark(f"left out {plural(tallies.strangers, 'frame')}: no message of a bus")


def _full(path: Path, error: OSError, writer: Writer) -> RecordingError:
    return RecordingError(
        f"{path}: {error.strerror or error}; the recording ends there, whole, after "
        f"{plural(writer.frames, 'frame')} ({in_bytes(writer.size)})"
    )


@contextlib.contextmanager
def _file(path: Path, force: bool) -> Iterator[BinaryIO]:
    """The file, new or emptied; for its owner only, since nobody knows what is in the messages."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if force else os.O_EXCL)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise click.UsageError(
            f"{path} is there already; choose another name, or --force to overwrite it",
            click.get_current_context(),
        ) from None
    except OSError as error:
        raise click.UsageError(
            f"cannot write {path}: {error.strerror or error}; choose another file with --output",
            click.get_current_context(),
        ) from None
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        yield file


class Asked:
    """Takes SIGINT and SIGTERM for a wish to end in order; a second one ends at once."""

    def __init__(self) -> None:
        self.is_asked = False
        self._ours, self._theirs = socket.socketpair()
        self._before: dict[int, object] = {}
        self._old = -1

    def fileno(self) -> int:
        """A descriptor that turns readable with the wish."""
        return self._ours.fileno()

    def __enter__(self) -> Self:
        self._theirs.setblocking(False)
        for kind in (signal.SIGINT, signal.SIGTERM):
            self._before[kind] = signal.signal(kind, self._note)
        self._old = signal.set_wakeup_fd(self._theirs.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._old)
        self._restore()
        self._ours.close()
        self._theirs.close()

    def _note(self, number: int, frame: object) -> None:
        self.is_asked = True
        self._restore()

    def _restore(self) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)  # type: ignore[arg-type]  # what signal gave
