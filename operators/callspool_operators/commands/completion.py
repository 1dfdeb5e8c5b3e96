"""`callspool completion`: what a shell needs to complete commands, options and values."""

import click
from click.shell_completion import get_completion_class

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
    """Print what makes bash (4.4 or later), zsh or fish complete callspool's commands.

    Commands, options, files and some values are completed; Redis is never asked for any.
    """
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(click.Command(_NAME), {}, _NAME, _VARIABLE)
    click.echo(made.source_template % made.source_vars())
