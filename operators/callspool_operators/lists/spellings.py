"""Which column of a spreadsheet is which field of a document.

A header is compared by its letters and digits alone: ``E-Mail``, ``e_mail`` and ``EMAIL`` are one
spelling. Where several columns fit a field, the spelling that comes first here wins, then the
column that stands first.
"""

from callspool.request.text import clean

CONTACT_NUMBER = "contact_number"
ALTERNATE = "alternate_number"
NAME = "name"
DOCUMENT_ID = "document_id"
LABELS = "labels"

SPELLINGS: dict[str, tuple[str, ...]] = {
    CONTACT_NUMBER: (
        "contactnumber",
        "contactno",
        "phonenumber",
        "phone",
        "phoneno",
        "mobilenumber",
        "mobile",
        "mobileno",
        "mobilephone",
        "cellphone",
        "cellnumber",
        "cell",
        "telephonenumber",
        "telephone",
        "tel",
        "msisdn",
        "primaryphone",
        "phone1",
        "mobile1",
        "whatsappnumber",
        "whatsapp",
        "phone1value",
        "handy",
        "handynummer",
        "telefon",
        "telefonnummer",
        "mobil",
    ),
    NAME: ("name", "fullname", "contactname", "customername", "clientname", "leadname"),
    "email": ("email", "emailaddress", "emailid", "mail", "mailaddress"),
    ALTERNATE: (
        "alternatenumber",
        "alternateno",
        "alternatephone",
        "alternatemobile",
        "altnumber",
        "altphone",
        "secondaryphone",
        "otherphone",
        "phone2value",
        "businessphone",
        "phone2",
        "mobile2",
        "workphone",
        "homephone",
        "mobile",
        "mobileno",
        "mobilenumber",
        "telephone",
    ),
    "occupation": ("occupation", "profession", "jobtitle", "job", "designation"),
    "company_name": (
        "companyname",
        "company",
        "organisation",
        "organization",
        "organisationname",
        "organizationname",
        "employer",
    ),
    "address": ("address", "streetaddress", "postaladdress", "mailingaddress"),
    "about": ("about", "bio"),
    "context": ("context",),
    LABELS: ("labels", "label", "tags", "tag"),
    "title": ("title",),
    "description": ("description",),
    DOCUMENT_ID: (
        "documentid",
        "id",
        "contactid",
        "customerid",
        "clientid",
        "leadid",
        "recordid",
        "crmid",
        "customerno",
        "customernumber",
        "kundennummer",
        "externalid",
    ),
}

FIELDS = tuple(SPELLINGS)
"""The fields of a document that the API knows; every other one is an extra field."""

NAME_PARTS = ("first_name", "last_name")
"""What a column can be chosen as that holds a part of the name; it is an extra field besides."""

FIRST_NAMES = ("firstname", "givenname", "forename", "first", "vorname")
LAST_NAMES = ("lastname", "surname", "familyname", "last", "nachname")


def squash(header: str) -> str:
    """A header's letters and digits, in one case."""
    return "".join(filter(str.isalnum, clean(header).casefold()))
