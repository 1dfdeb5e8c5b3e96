"""The group `callspool`: which commands there are, and what each of them needs."""

import difflib
import gc
import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from callspool import __version__
from callspool_operators.terminal.exits import Exit, OutputGone
from callspool_operators.terminal.screen import want_colours

SHELLS = ("bash", "zsh", "fish")
_NAME = "callspool"
_VARIABLE = "_CALLSPOOL_COMPLETE"

_EXAMPLES = """\b
Examples:
  eval "$(callspool completion bash)"                                  # in ~/.bashrc
  eval "$(callspool completion zsh)"                                   # in ~/.zshrc
  callspool completion fish > ~/.config/fish/completions/callspool.fish
"""


@click.command(epilog=_EXAMPLES)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which bash (4.4 or later), zsh or fish completes callspool's commands.

    Commands, options, files and some values are completed; Redis is not asked.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(click.Command(_NAME), {}, _NAME, _VARIABLE)
    click.echo(made.source_template % made.source_vars())


_HELP_EXAMPLES = """\b
Examples:
  callspool help run
  callspool help dead replay
"""


@click.command("help", epilog=_HELP_EXAMPLES)
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
@click.pass_context
def show_help(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show the help of a command, as COMMAND --help does."""
    assert ctx.parent is not None
    command: click.Command = ctx.parent.command
    context = ctx.parent
    for word in words:
        found = command.get_command(context, word) if isinstance(command, click.Group) else None
        if found is None:
            raise _no_such(word, ctx)
        command, context = found, click.Context(found, parent=context, info_name=word)
    click.echo(command.get_help(context))


CORE = "callspool"
WORKER = "./callspool[worker]"
SERVER = "./callspool[server]"
OUTBOX = "./callspool[outbox]"
OF_THE_WORKER = ("h11", "httptools", "httpx", "prometheus_client", "tenacity")


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command that is imported when it is used. ``needs``: what pip has to install for it."""

    target: str
    help: str
    needs: str = CORE


COMMANDS = {
    "run": CommandEntry(
        "callspool_operators.commands.run:run",
        "Do the whole job on this machine: read, send, report.",
        WORKER,
    ),
    "send": CommandEntry(
        "callspool_operators.commands.send:send",
        "Put the contacts of files into the queue.",
    ),
    "worker": CommandEntry(
        "callspool_operators.commands.worker:worker",
        "Run the workers that send what is in the queue.",
        WORKER,
    ),
    "exporter": CommandEntry(
        "callspool_operators.commands.worker:exporter",
        "Serve the metrics of the whole installation.",
        WORKER,
    ),
    "serve": CommandEntry(
        "callspool_operators.commands.serve:serve",
        "Take documents over HTTP from services that show a key.",
        SERVER,
    ),
    "relay": CommandEntry(
        "callspool_operators.commands.relay:relay",
        "Put the requests of an outbox in PostgreSQL into the queue.",
        OUTBOX,
    ),
    "sandbox": CommandEntry(
        "callspool_sandbox.command:sandbox",
        "Run a local Unpod API to rehearse with.",
        WORKER,
    ),
    "status": CommandEntry(
        "callspool_operators.commands.status:status",
        "Show how many documents are in which state, and why.",
    ),
    "show": CommandEntry(
        "callspool_operators.commands.show:show",
        "Show the history of one document.",
    ),
    "results": CommandEntry(
        "callspool_operators.commands.results:results",
        "Give a list back, each row with what became of it.",
    ),
    "report": CommandEntry(
        "callspool_operators.commands.report:report",
        "Look afterwards which calls began outside of hours.",
    ),
    "follow": CommandEntry(
        "callspool_operators.commands.follow:follow",
        "Look what became of created calls, as workers do.",
        WORKER,
    ),
    "invalid": CommandEntry(
        "callspool_operators.commands.dead:invalid",
        "List what workers refused, and why.",
    ),
    "lanes": CommandEntry(
        "callspool_operators.commands.lanes:lanes",
        "List what waits where, for how long, and why.",
    ),
    "pause": CommandEntry(
        "callspool_operators.commands.pausing:pause",
        "Stop sending; nothing is lost meanwhile.",
    ),
    "resume": CommandEntry(
        "callspool_operators.commands.pausing:resume",
        "Send again what was paused or parked.",
    ),
    "campaign": CommandEntry(
        "callspool_operators.commands.campaign:campaign",
        "Say when and how fast a campaign's contacts may be called.",
    ),
    "cancel": CommandEntry(
        "callspool_operators.commands.pausing:cancel",
        "Take back documents that wait.",
    ),
    "suppress": CommandEntry(
        "callspool_operators.commands.suppress:suppress",
        "Keep numbers from being called.",
    ),
    "dead": CommandEntry(
        "callspool_operators.commands.dead:dead",
        "List, replay and drop what cannot be sent.",
    ),
    "doubts": CommandEntry(
        "callspool_operators.commands.doubts:doubts",
        "List, confirm and resend documents without proof.",
        WORKER,
    ),
    "doctor": CommandEntry(
        "callspool_operators.commands.doctor:doctor",
        "Check Redis, the API and the settings, each with its remedy.",
        WORKER,
    ),
    "journal": CommandEntry(
        "callspool_operators.commands.events:journal",
        "List who changed what, and when.",
    ),
    "events": CommandEntry(
        "callspool_operators.commands.events:events",
        "List what became of documents and calls, as it happens.",
    ),
    "webhooks": CommandEntry(
        "callspool_operators.commands.webhooks:webhooks",
        "Show and steer the delivery of events to endpoints.",
        WORKER,
    ),
    "keys": CommandEntry(
        "callspool_operators.commands.access_keys:keys",
        "Create, list and revoke the keys of the HTTP intake.",
    ),
    "help": CommandEntry(
        "callspool_operators.group:show_help",
        "Show the help of a command.",
    ),
    "completion": CommandEntry(
        "callspool_operators.group:completion",
        "Print the script by which a shell completes callspool's commands.",
    ),
}


class LazyGroup(click.Group):
    """A group whose commands are imported only when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        try:
            return _load(cmd_name, entry)
        except click.ClickException:
            if ctx.resilient_parsing:  # completing: no place for an error
                return None
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not ctx.resilient_parsing:
            raise _no_such(args[0], ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes commands without importing them."""
        if incomplete[:1] == "-":
            return super().shell_complete(ctx, incomplete)
        return [
            CompletionItem(name, help=entry.help)
            for name, entry in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise OutputGone from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Lists the commands without importing them, by what they need."""
        width = max(map(len, COMMANDS))
        for needs, heading in (
            (CORE, "Commands of the core (pip install ./callspool, the checkout)"),
            (WORKER, f"Commands that need more (pip install '{WORKER}')"),
            (SERVER, f"Commands that take HTTP (pip install '{SERVER}')"),
            (OUTBOX, f"Commands that read PostgreSQL (pip install '{OUTBOX}')"),
        ):
            rows = [(name.ljust(width), e.help) for name, e in COMMANDS.items() if e.needs == needs]
            with formatter.section(heading):
                formatter.write_dl(rows)


def _load(name: str, entry: CommandEntry) -> click.Command:
    module, _, attribute = entry.target.partition(":")
    # A command may load late what its processes need: better known before they are started.
    if entry.needs == WORKER and not all(map(importlib.util.find_spec, OF_THE_WORKER)):
        raise _lacking(name, entry.needs)
    try:
        command = getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as fault:
        if (fault.name or "").partition(".")[0].startswith("callspool"):
            raise
        raise _lacking(name, entry.needs) from None
    assert isinstance(command, click.Command)
    if not gc.isenabled():
        # What was loaded lives to the end. To look for garbage among it, now and at the end, took
        # short commands a third of their time.
        gc.freeze()
        gc.enable()
    return command


def _no_such(name: str, ctx: click.Context) -> click.UsageError:
    close = difflib.get_close_matches(name, COMMANDS, n=2, cutoff=0.6)
    hint = f": did you mean {' or '.join(close)}?" if close else ""
    return click.UsageError(f"there is no command {name!r}{hint}", ctx)


def _lacking(name: str, needs: str) -> click.ClickException:
    extra = WORKER if needs == CORE else needs
    whose = extra.partition("[")[2].rstrip("]")
    return click.ClickException(
        f"callspool {name} needs the {whose}'s packages: pip install '{extra}'"
    )


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="callspool", message="%(prog)s %(version)s")
@click.pass_context
def callspool(ctx: click.Context) -> None:
    """Hand contacts to the Unpod calling API: nobody called twice, nobody lost.

    Settings come from CALLSPOOL_… environment variables or callspool.toml; flags win over both.
    """
    ctx.color = want_colours()
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(Exit.WRONG_USE)
