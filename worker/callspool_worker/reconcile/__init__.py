"""Reconciling: what became of attempts in doubt is proven by reading the space back."""

from __future__ import annotations

from callspool_worker.reconcile.prover import Prover
from callspool_worker.reconcile.proving import Proving
from callspool_worker.reconcile.reconciler import LOOKERS, Reconciler

__all__ = ["LOOKERS", "Prover", "Proving", "Reconciler"]
