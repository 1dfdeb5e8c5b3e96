"""The question that numbers without a country code raise before anything is sent."""

import click

from callspool.errors import CallspoolError
from callspool.request.checks import Rules
from callspool_operators.lists.countries import CountriesUnknown, find_unknown_countries
from callspool_operators.lists.errors import COUNTRY_REMEDY, READ_AS
from callspool_operators.options.options import SendOptions
from callspool_operators.sending.reading import intake_options, new_intake
from callspool_operators.terminal import person
from callspool_operators.terminal.report import COUNTS
from callspool_operators.terminal.wording import format_count, json_line, plain


class CountryUnknown(CallspoolError):  # noqa: N818 - says what is the matter
    """Numbers of a list may be of any country; the text says what to do."""


def check_countries(options: SendOptions, rules: Rules) -> None:
    """Raises `CountryUnknown` where numbers need a country and nobody is there to be asked.

    Standard input and pipes cannot be looked through before: `Intake` stops there itself.
    """
    is_asked = person.is_there() and not options.yes
    if is_asked or options.numbers_as_they_are or rules.region is not None:
        return
    if not new_intake(options, rules).can_be_read_again:
        return
    found = find_unknown_countries(options.files, intake_options(options, rules))
    if found is None:
        return
    if options.as_json:
        documents = dict.fromkeys((*COUNTS, "enqueued"), 0)
        click.echo(json_line({"documents": documents, "without_country": found.numbers}))
    raise CountryUnknown(_words(found, several=len(options.files) > 1))


def _words(found: CountriesUnknown, *, several: bool) -> str:
    verb = "has" if found.numbers == 1 else "have"
    where = f"{plain(found.file)}, line" if several else "line"
    all_numbers = format_count(found.good, "number")
    return (
        f"{found.numbers:,} of {all_numbers} {verb} no country code (the first on"
        f" {where} {found.line:,}): the platform reads each {READ_AS}; {COUNTRY_REMEDY};"
        " nothing was sent"
    )
