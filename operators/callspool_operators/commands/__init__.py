"""The commands, one module each; the group loads a command when it is used."""
