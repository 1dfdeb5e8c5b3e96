"""`python -m callspool` is the command `callspool`."""

from importlib.metadata import entry_points

if __name__ == "__main__":
    (command,) = entry_points(group="console_scripts", name="callspool")
    command.load()()
