"""Languages with their letters beyond a to z, their encodings, and how well a word fits one.

Words are worth -1 (no word of that language) to 1. Of readings of the same bytes the wrong ones put
consonants where vowels have to be (``Jšrg``), capitals behind small letters, or signs amid words.
"""

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


_MIXED = ("German", "French", "Spanish", "Catalan", "Portuguese", "Italian", "Swedish", "Danish")


class Encoding(NamedTuple):
    """``handicap``: how much better its reading must be than that of a more frequent encoding.

    ``mixed``: languages whose names are often found together in one list.
    """

    codec: str
    name: str
    languages: tuple[str, ...]
    handicap: float = 0.06
    mixed: tuple[str, ...] = ()


ENCODINGS = (
    Encoding("cp1252", "Windows-1252", _WESTERN, 0, _MIXED),
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


NO_WORD = -1.0

_LATIN_END = "\u0250"
_APOSTROPHES = "’‘´"
_ORDINALS = "ªº"
_BEFORE = "«“„‘¿¡–—\xa0•€£"
_AFTER = "»”’…–—\xa0®™€"
_BETWEEN = "\xa0–"
_NEITHER_CASE = "ßı"


def fit(word: str, language: str) -> float:
    """Returns how well a word with letters beyond ASCII fits a language."""
    if len(word) == 1:
        return 0.5 if word in _BEFORE + _AFTER else 0.0
    alphabet = ALPHABETS[language]
    is_latin = alphabet[0] < _LATIN_END
    if not is_latin and any(letter.isascii() and letter.isalpha() for letter in word):
        return NO_WORD
    scores = [
        _sign(word, place)
        if not letter.isalpha() or letter in _ORDINALS
        else _letter(word, place, language, is_latin=is_latin)
        for place, letter in enumerate(word)
        if letter > "\x7f"
    ]
    return NO_WORD if min(scores) == NO_WORD else sum(scores) / len(scores)


def _letter(word: str, place: int, language: str, *, is_latin: bool) -> float:
    letter = word[place]
    small = letter.lower()
    if small not in ALPHABETS[language] or not _has_right_case(word, place):
        return NO_WORD
    if not is_latin:
        return 1.0 if word.istitle() else 0.5
    behind = word[place + 1 : place + 2].lower()
    beside = [each for each in (word[place - 1 : place].lower(), behind) if each.isalpha()]
    vowels = [each for each in beside if each in VOWELS]
    if not beside:
        return 0.0
    if small in "ãõ" and language == "Portuguese":
        return 1.0 if behind in ("o", "e", "") else 0.3
    if small in VOWELS:
        return 0.8 if vowels else 1.0
    return 0.9 if vowels else -0.5


def _has_right_case(word: str, place: int) -> bool:
    """No capital behind a small letter, and no small letter amid capitals."""
    letter, before = word[place], word[:place]
    if letter in _NEITHER_CASE:
        return True
    if letter.isupper():
        return not before[-1:].islower()
    after = word[place + 1 : place + 2]
    is_amid_capitals = before[-1:].isupper() and after.isupper()
    return not is_amid_capitals and not (len(before) > 1 and before[-2:].isupper())


def _sign(word: str, place: int) -> float:
    """How well a sign stands where it stands; most stand at no word at all."""
    sign, before, after = word[place], word[:place], word[place + 1 :]
    if sign in _APOSTROPHES and before and after:
        return 1.0 if after[0].isupper() or len(before) <= 2 or after in "sS" else NO_WORD
    if sign in _ORDINALS:
        return 0.7 if not after and len(before) <= 3 else NO_WORD
    if before and after:
        divides = before[-1].islower() and after[0].isupper()
        return 0.5 if divides and sign in _BETWEEN else NO_WORD
    return 0.5 if sign in (_AFTER if before else _BEFORE) else NO_WORD
