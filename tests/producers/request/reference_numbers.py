"""What libphonenumber itself says of a number: the verdict that `phones.identify` has to give."""

from phonenumbers import (
    NumberParseException,
    PhoneNumberFormat,
    ValidationResult,
    format_number,
    is_possible_number_with_reason,
    parse,
)

from callspool.request.phones import NumberError, identify


def identified_by_the_library(number: str, region: str | None) -> str | None:
    try:
        parsed = parse(number, region)
    except NumberParseException:
        return None
    if is_possible_number_with_reason(parsed) != ValidationResult.IS_POSSIBLE:
        return None
    e164 = format_number(parsed, PhoneNumberFormat.E164)
    return f"{e164};ext={parsed.extension}" if parsed.extension else e164


def identified(number: str, region: str | None) -> str | None:
    outcome = attempted(number, region)
    return None if isinstance(outcome, NumberError) else outcome


def attempted(number: str, region: str | None) -> str | NumberError:
    try:
        return identify(number, region)
    except NumberError as refused:
        return refused
