"""What a rehearsal uses where the user names nothing: none of it exists at the real API."""

from __future__ import annotations

SPACE_TOKEN = "SANDBOXSPACE000000000001"  # noqa: S105 - of the sandbox alone
PILOT = "space-agent-sandbox"
CONTEXT = "A rehearsal: nobody is called."
API_TOKEN = "sandbox"  # noqa: S105 - the sandbox accepts any
ORG_HANDLE = "sandbox"
