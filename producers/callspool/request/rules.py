"""How call requests are read: what a setting decides."""

from dataclasses import dataclass

from callspool.errors import SettingsError
from callspool.request.regions import is_region


@dataclass(frozen=True, slots=True)
class Rules:
    """``region``: of numbers without a country code (``IN``, ``US``, …).

    ``send_e164``: send numbers whose country is known as E.164 (`phones.number_to_send`).
    ``default_context``: for requests without a ``context``, which the API demands (O).
    Raises `SettingsError` for a region that does not exist.
    """

    region: str | None = None
    send_e164: bool = True
    default_context: str | None = None

    def __post_init__(self) -> None:
        region = self.region.upper() if self.region else None
        if region is not None and not is_region(region):
            raise SettingsError("CALLSPOOL_REGION: must be a region such as IN, US or GB")
        object.__setattr__(self, "region", region)
