"""Languages with their letters beyond a to z, and the encodings in which lists of names come."""

from typing import NamedTuple

ALPHABETS = {
    "German": "äöüß",
    "French": "àâæçéèêëîïôœùûüÿ",
    "Spanish": "áéíñóúü",
    "Catalan": "àçèéíïòóúü",
    "Portuguese": "ãáâàçéêíóôõú",
    "Italian": "àèéìíòóù",
    "Dutch": "ëïéèöüáó",
    "Swedish": "åäöéü",
    "Danish": "æøåéöäü",
    "Icelandic": "áéíóúýðþæö",
    "Irish": "áéíóú",
    "Estonian": "õäöü",
    "Czech": "áčďéěíňóřšťúůýž",
    "Slovak": "áäčďéíĺľňóôŕšťúýž",
    "Polish": "ąćęłńóśźż",
    "Hungarian": "áéíóöőúüű",
    "Romanian": "ăâîşţ",
    "Croatian": "čćđšž",
    "Albanian": "ëç",
    "Turkish": "çğıi\u0307öşüâîû",
    "Lithuanian": "ąčęėįšųūž",
    "Latvian": "āčēģīķļņšūž",
    "Russian": "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    "Ukrainian": "абвгдежзийклмнопрстуфхцчшщьюяіїєґ",
    "Serbian": "абвгдђежзијклљмнњопрстћуфхцчџш",
    "Greek": "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ",
    "Hebrew": "אבגדהוזחטיכךלמםנןסעפףצץקרשת",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويىةءأإؤئآ",
}

VOWELS = frozenset("aeiouyáéíóúýàèìòùâêîôûäëïöüÿãõåæøœąęěůőűăıėįųūāēīаеёиоуыэюяіїєαειηουωάέήίόύώϊϋ")

_WESTERN = (
    "German",
    "French",
    "Spanish",
    "Catalan",
    "Portuguese",
    "Italian",
    "Dutch",
    "Swedish",
    "Danish",
    "Icelandic",
    "Irish",
    "Estonian",
)
_CENTRAL = (
    "Czech",
    "Slovak",
    "Polish",
    "Hungarian",
    "Romanian",
    "Croatian",
    "Albanian",
    "German",
)
_CYRILLIC = ("Russian", "Ukrainian", "Serbian")


class Encoding(NamedTuple):
    """``handicap``: how much better its reading must be than that of a more frequent encoding."""

    codec: str
    name: str
    languages: tuple[str, ...]
    handicap: float = 0.06


ENCODINGS = (
    Encoding("cp1252", "Windows-1252", _WESTERN, 0),
    Encoding("cp1250", "Windows-1250", _CENTRAL, 0.02),
    Encoding("mac_roman", "Mac Roman", _WESTERN, 0.02),
    Encoding("cp850", "DOS (cp850)", _WESTERN, 0.03),
    Encoding("iso8859_2", "ISO 8859-2", _CENTRAL, 0.04),
    Encoding("cp1254", "Windows-1254", ("Turkish", "German"), 0.03),
    Encoding("cp1251", "Windows-1251", _CYRILLIC, 0),
    Encoding("cp1253", "Windows-1253", ("Greek",), 0),
    Encoding("cp852", "DOS (cp852)", _CENTRAL),
    Encoding("mac_latin2", "Mac Central European", _CENTRAL, 0.15),
    Encoding("cp857", "DOS (cp857)", ("Turkish", "German")),
    Encoding("mac_turkish", "Mac Turkish", ("Turkish", "German")),
    Encoding("cp1257", "Windows-1257", ("Lithuanian", "Latvian", "Estonian", "Polish")),
    Encoding("iso8859_13", "ISO 8859-13", ("Lithuanian", "Latvian", "Estonian", "Polish")),
    Encoding("koi8_u", "KOI8-U", _CYRILLIC),
    Encoding("iso8859_5", "ISO 8859-5", _CYRILLIC),
    Encoding("cp866", "DOS (cp866)", _CYRILLIC),
    Encoding("mac_cyrillic", "Mac Cyrillic", _CYRILLIC),
    Encoding("iso8859_7", "ISO 8859-7", ("Greek",)),
    Encoding("cp737", "DOS (cp737)", ("Greek",)),
    Encoding("cp1255", "Windows-1255", ("Hebrew",)),
    Encoding("cp1256", "Windows-1256", ("Arabic",)),
)
"""What a list may be in; of readings that are equal the first here wins."""
