"""Chaos: real workers, a real Redis and the local API under random faults, and then the sums.

`python -m chaos --help`; docs/chaos.md says what is done and what is promised.
"""
