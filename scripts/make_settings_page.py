"""Writes docs/settings.md from the table of settings, so that the two cannot differ.

python scripts/make_settings_page.py
"""

from __future__ import annotations

from pathlib import Path

from callspool.settings.table import reference

PAGE = Path(__file__).parent.parent / "docs" / "settings.md"

HEAD = """\
# Settings

Environment variables, or the same names in `callspool.toml` (there without the prefix and in small
letters, too: `batch_size = 50`). Flags win over the environment, the environment over the file.
A wrong or unknown setting stops the start and says which, why, and what is allowed. Secrets are
never printed, logged or put into Redis.

"""

TAIL = """
Where a setting has a `_FILE` form, that names a file to read the value from; a token's file is
read again when it changes, so that a token can be rotated without a restart.

## How large a batch should be

A create-call becomes one run at the platform, and **at most 10 calls of one run ring at once, 20 in
all**. A contact's place in its run decides how long it waits. With calls of a minute:

| contacts in a run | the last one rings after about | 1,000 contacts ring |
|---:|---:|---|
| 50 | 5 minutes | 20 at once, as two runs go on side by side |
| 100 (the default) | 10 minutes | the same |
| 500 | 50 minutes | 20 at once, until one of the two runs has ended |
| 1,000 | 100 minutes | 10 at once |

So 100 is a choice, not a limit to raise blindly. Larger batches need fewer create-calls, which only
matters where the API limits those; they ring no earlier. Smaller ones let a campaign stop sooner:
what was handed over can no longer be cancelled. `callspool doctor` warns of more than 100.

## Webhooks

`[webhooks.NAME]` names an endpoint to which workers deliver events: `url`, `secret_file`,
`events`, `accounts`, `campaigns`, `allow_private` ([webhooks](webhooks.md)).

## More accounts

A call request names its account; only workers know what is behind the name.

```toml
[accounts.sales]
api_token_file = "/run/secrets/sales"
org_handle = "sales.example"
api_url = "https://unpod.ai"        # if it differs
```

An account's own limits are called as the settings are: `max_in_flight = 20`, `max_rate = 5`.
Without them they are found ([limits](limits.md)).

`allow_http = true` lets an account send to an `http://` URL beyond this machine. That shows its
token to the network: it is meant for an API of your own in a closed one.

What accounts share: one worker sends for all accounts that it knows, in turn, and a limit on one
never holds back another. Documents of an account that no worker knows wait.
"""


def page() -> str:
    """The page as it has to be."""
    return HEAD + reference() + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
