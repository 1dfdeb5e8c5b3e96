"""A rehearsal against the sandbox: what stands in for a real account, space and agent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from callspool.settings import Account, Secret
from callspool_operators.local.state import make_private
from callspool_sandbox import defaults
from callspool_sandbox.process import SandboxProcess

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from callspool.settings import Settings

SANDBOX = "sandbox"
"""The account of rehearsals: its scope is its own, so that none counts as the real call."""

STAND_INS = {
    "account": SANDBOX,
    "space_token": defaults.SPACE_TOKEN,
    "pilot": defaults.PILOT,
    "context": defaults.CONTEXT,
}


def start_sandbox(stack: ExitStack, state_dir: Path) -> str:
    """Starts a sandbox that ends with the stack; its log lies in the state directory."""
    make_private(state_dir)
    return stack.enter_context(SandboxProcess(log=state_dir / "sandbox.jsonl")).url


def sandbox_settings(settings: Settings, url: str) -> Settings:
    """The settings with one account only: the sandbox's."""
    account = Account(
        name=SANDBOX,
        api_token=Secret(defaults.API_TOKEN),
        org_handle=defaults.ORG_HANDLE,
        api_url=url,
    )
    return replace(settings, accounts={SANDBOX: account})
