"""`callspool serve`: documents come in over HTTP, with keys."""

import os
from dataclasses import replace
from pathlib import Path

import click

from callspool.settings import load_settings
from callspool.settings.kinds import LISTEN_ADDRESS, Whole
from callspool_operators.options.options import redis_option
from callspool_operators.options.parsing import as_optional_setting
from callspool_operators.serving import server

_EXAMPLES = """\b
Examples:
  callspool keys create shop --scope enqueue --scope read --space-token 8KZ…
  callspool serve
  callspool serve --host 0.0.0.0 --port 8443 --cert cert.pem --key key.pem
"""

_PEM = click.Path(dir_okay=False, path_type=Path)


@click.command(epilog=_EXAMPLES)
@click.option(
    "--port",
    callback=as_optional_setting(Whole(0, 65_535)),
    metavar="N",
    help="Port to listen on; 0 takes a free one. [CALLSPOOL_SERVE_PORT, else 8080]",
)
@click.option(
    "--host",
    callback=as_optional_setting(LISTEN_ADDRESS),
    metavar="HOST",
    help="Address to listen on. [CALLSPOOL_SERVE_HOST, else 127.0.0.1]",
)
@click.option("--cert", type=_PEM, metavar="FILE", help="Speak TLS with this certificate (PEM).")
@click.option("--key", type=_PEM, metavar="FILE", help="The certificate's private key (PEM).")
@redis_option
def serve(
    port: int | None, host: str | None, cert: Path | None, key: Path | None, redis_url: str | None
) -> None:
    """Take call requests over HTTP, from services that show a key.

    It knows Redis and the keys, and needs no token of the API. Any number of these processes may
    run, on any machine. SIGTERM or Ctrl-C ends it once it has answered what it began.
    """
    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key belong together: give both, or neither")
    known = load_settings(os.environ, overrides={"redis_url": redis_url})
    settings = replace(known, api_token=None, org_handle=None, accounts={})
    host = settings.serve_host if host is None else host
    listening = server.listen(host, settings.serve_port if port is None else port)
    scheme = "http" if cert is None else "https"
    shown = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{shown}:{listening.getsockname()[1]}"

    def tell() -> None:
        click.echo(f"callspool serve listening on {url}")

    with listening:
        server.serve(settings, listening, tell, cert=cert, key=key)
