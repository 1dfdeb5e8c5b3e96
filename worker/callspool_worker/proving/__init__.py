"""Reconciling: what became of attempts in doubt is proven by reading the space back."""

from __future__ import annotations

from callspool_worker.proving.proof_settings import Proving
from callspool_worker.proving.reconciler import LOOKERS, Reconciler
from callspool_worker.proving.space_prover import Prover

__all__ = ["LOOKERS", "Prover", "Proving", "Reconciler"]
