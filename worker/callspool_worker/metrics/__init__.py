"""Metrics for Prometheus: of the whole installation, from the ledger, and of worker processes."""
