"""The embedded server and the state directory of `callspool run`."""
