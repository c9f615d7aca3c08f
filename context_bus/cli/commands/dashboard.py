"""``dashboard``: a running provider as a local web page."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from context_bus.cli.lazy import examples
from context_bus.cli.options import MAX_PORT
from context_bus.cli.output import remark, say, say_json
from context_bus.cli.provider_options import provider_options
from context_bus.client.whereabouts import endpoints_of

#: Where the page is served, unless something else is said.
HOST, PORT = "127.0.0.1", 8088
#: What the extra brings.
PACKAGES = ("starlette", "uvicorn", "websockets")


@click.command(
    "dashboard",
    epilog=examples("{command} -c Conf/Context-AccessLog.xml --open", "{command} --port 0 --json"),
)
@click.option(
    "--port",
    type=click.IntRange(0, MAX_PORT),
    default=PORT,
    show_default=True,
    help="Port of the page; 0 for any that is free.",
)
@click.option("--host", default=HOST, show_default=True, help="Address to serve it at.")
@click.option("--insecure", is_flag=True, help="Serve it at an address that other machines reach.")
@click.option("--open", "is_opened", is_flag=True, help="Open it in the browser.")
@provider_options
def command(
    port: int,
    host: str,
    insecure: bool,
    is_opened: bool,
    context_file: Path | None,
    publish: str | None,
    listen: str | None,
    state: str,
    as_json: bool,
) -> None:
    """Show a running provider as a page in the browser, until Ctrl-C.

    The page has the graph, the services with what they use, their logs, messages of any topic, and events.
    Who opens the URL that is printed may start, stop and restart services as well; without its token the page
    is read-only. Nothing is asked of the provider while no page is open. Needs the extra 'web'.

    Exits with 3 if the port is taken.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        from context_bus.errors import ConfigurationError, Fault

        raise ConfigurationError(
            [Fault(f"the page needs {', '.join(missing)}", "pip install 'context-bus[web]'")]
        )
    from context_bus.view.page.guard import is_loopback
    from context_bus.view.page.serving import PageServer

    if not is_loopback(host):
        if not insecure:
            text = f"other machines reach {host}, and what the page says goes unencrypted"
            raise click.UsageError(f"{text}; leave out --host, or add --insecure")
        remark(f"warning: other machines can read this page at {host}; its token goes unencrypted")
    endpoints_of(context_file, publish, listen, state)  # so that a slip is told at once
    server = PageServer(lambda: endpoints_of(context_file, publish, listen, state), host, port)

    def ready() -> None:
        if as_json:
            say_json({"url": server.url, "read_only_url": server.address})
        else:
            say(server.url)
            remark(f"read-only without the token: {server.address}; Ctrl-C ends it")
        sys.stdout.flush()
        if is_opened:
            import webbrowser

            webbrowser.open(server.url_for_browser())

    server.run(ready)
