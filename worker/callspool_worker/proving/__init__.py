"""Reconciling: what became of attempts in doubt is proven by reading the space back."""

from __future__ import annotations

from callspool_worker.proving.questions import ProofSettings
from callspool_worker.proving.reconciler import LOOKERS, Reconciler, SpaceProver

__all__ = ["LOOKERS", "ProofSettings", "Reconciler", "SpaceProver"]
