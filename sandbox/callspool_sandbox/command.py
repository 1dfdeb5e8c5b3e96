"""`callspool sandbox`: the local Unpod API from the command line."""

from __future__ import annotations

import re
from pathlib import Path

import click

from callspool.errors import SettingsError
from callspool_sandbox.fault_files import FaultFile, load_faults
from callspool_sandbox.sandbox import MAX_BODY, Options
from callspool_sandbox.server import run_sandbox

_DURATION = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(ms|s)?")


class WrongUse(click.ClickException):
    """Wrong use or configuration, said in one line."""

    exit_code = 2


def seconds(value: str) -> float:
    """Returns a duration on the command line: `0.2`, `0.2s` or `50ms`."""
    match = _DURATION.fullmatch(value.strip())
    if not match:
        raise click.BadParameter(f"{value!r} is no duration; write 0.2, 0.2s or 50ms")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


_EXAMPLES = """\b
Examples:
  callspool sandbox
  callspool sandbox --port 8901 --latency 50ms --log requests.jsonl
  callspool sandbox --faults faults.toml --seed 7
  callspool sandbox --call-speed 60
"""


@click.command("sandbox", epilog=_EXAMPLES)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8900,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--latency",
    type=seconds,
    default="0",
    show_default=True,
    help="How long a request that does something takes: 0.2 or 50ms.",
)
@click.option(
    "--faults",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File of faults, in TOML or JSON (docs/sandbox.md).",
)
@click.option("--seed", type=int, help="Make chance and ids repeatable.")
@click.option(
    "--log", metavar="FILE", help="Append a JSON line for each request to this file; - is stdout."
)
@click.option(
    "--token",
    envvar="UNPOD_SANDBOX_TOKEN",
    show_envvar=True,
    help="Accept only this API token; any token by default.",
)
@click.option(
    "--call-speed",
    type=click.FloatRange(min=0, min_open=True),
    metavar="FACTOR",
    help="Let calls ring, this many times as fast as real ones; without it, tasks stay pending.",
)
@click.option("--org-handle", help="Accept only this Org-Handle; any by default.")
@click.option(
    "--max-body",
    type=click.IntRange(min=1),
    default=MAX_BODY,
    show_default=True,
    metavar="BYTES",
    help="Larger request bodies get a proxy's 413.",
)
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def sandbox(
    *,
    port: int,
    host: str,
    latency: float,
    faults: Path | None,
    seed: int | None,
    log: str | None,
    token: str | None,
    call_speed: float | None,
    org_handle: str | None,
    max_body: int,
    until_stdin_closes: bool,
) -> None:
    """Run a local Unpod API that calls nobody.

    It answers as the real one does, or as badly as --faults asks for, until SIGTERM or Ctrl-C.
    """
    try:
        options = Options(
            host=host,
            port=port,
            latency=latency,
            faults=load_faults(faults) if faults else FaultFile(),
            seed=seed,
            log=log,
            token=token,
            call_speed=call_speed,
            org_handle=org_handle,
            max_body=max_body,
            until_stdin_closes=until_stdin_closes,
        )
        is_typed = not until_stdin_closes and log != "-"
        run_sandbox(options, _say_how_to_join if is_typed else _say_ready)
    except SettingsError as error:
        raise WrongUse(str(error)) from error


def _say_ready(url: str) -> None:
    click.echo(f"callspool sandbox listening on {url}")


def _say_how_to_join(url: str) -> None:
    """Says it, and what joins a worker of another shell to it."""
    _say_ready(url)
    click.echo(f"export CALLSPOOL_API_URL={url}")
    click.echo("export CALLSPOOL_API_TOKEN=sandbox-token")
    click.echo("export CALLSPOOL_ORG_HANDLE=sandbox")
