"""Telephone numbers, international and as many countries write their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import Group, any_of, before, joined, runs

NATIONAL_DIGITS: Mapping[str, tuple[int, int]] = {
    "1": (10, 10), "7": (10, 10), "20": (8, 10), "27": (9, 9), "30": (10, 10), "31": (9, 9),
    "32": (8, 9), "33": (9, 9), "34": (9, 9), "36": (8, 9), "39": (6, 11), "40": (9, 9),
    "41": (9, 9), "43": (4, 13), "44": (9, 10), "45": (8, 8), "46": (7, 10), "47": (8, 8),
    "48": (9, 9), "49": (4, 12), "51": (8, 9), "52": (10, 11), "53": (8, 8), "54": (10, 11),
    "55": (10, 11), "56": (9, 9), "57": (8, 10), "58": (10, 10), "60": (8, 10), "61": (9, 9),
    "62": (8, 12), "63": (8, 10), "64": (8, 10), "65": (8, 8), "66": (8, 9), "81": (9, 10),
    "82": (8, 10), "84": (9, 10), "86": (8, 11), "90": (10, 10), "91": (10, 10), "92": (9, 10),
    "93": (9, 9), "94": (9, 9), "98": (10, 10), "212": (9, 9), "213": (8, 9), "216": (8, 8),
    "233": (9, 9), "234": (8, 10), "251": (9, 9), "254": (9, 9), "255": (9, 9), "256": (9, 9),
    "351": (9, 9), "352": (5, 11), "353": (7, 9), "354": (7, 9), "355": (8, 9), "356": (8, 8),
    "357": (8, 8), "358": (5, 12), "359": (7, 9), "370": (8, 8), "371": (8, 8), "372": (7, 8),
    "380": (9, 9), "381": (8, 9), "385": (8, 9), "386": (8, 8), "420": (9, 9), "421": (9, 9),
    "852": (8, 8), "853": (8, 8), "880": (8, 10), "886": (8, 9), "961": (7, 8), "962": (8, 9),
    "965": (8, 8), "966": (8, 9), "971": (8, 9), "972": (8, 9), "974": (8, 8), "977": (8, 10),
}  # fmt: skip
"""Fewest and most digits behind the code of a country (ITU-T E.164 and national plans)."""
_ANY_COUNTRY = (8, 15)
"""Fewest and most digits with the code, where the country is not among these."""
_MOST_GROUPS, _MOST_CUED = 8, 6
_FEWEST, _MOST = 7, 17
"""Digits of a number, with 00 before the code of the country."""
_REACH = 30
"""How far behind the first digits what was said before them still holds."""

_WORDS = any_of(
    "tel phone phones telephone telefon telefono teléfono téléphone telefone telefoon тел телефон"
    " telefonnummer телефону mobile mobil móvil movil mob cell cellphone cellular celular cellulare"
    " handynummer mein_handy mon_portable gsm fax whatsapp viber sms hotline landline call_me"
    " call_us text_me phone_me ring_me reach_me reach_us contact_me contact_us rückruf anrufen"
    " appelez appelle-moi llámame llamame chiamami ligue звоните позвоните"
)
_CUE = re.compile(
    rf"(?<!\w){_WORDS}(?!\w)|\b(?:call|dial|ring|text)(?:\s(?:at|on|now|to))?[:\s]{{1,2}}[+(]{{0,2}}$"
    r"|\b(?:my|our|his|her|their|best|contact|daytime|evening|home|work|office|emergency|private)"
    r"\s(?:new\s)?(?:number|no\.)|\banswer(?:ing|s)?\sat\b|\bnumber\sfor\s\w{2,4}\sis\b"
    r"|电话|電話|手机|手機|联系|聯絡|聯繫|拨打|致电|来电|热线|携帯|連絡|전화|휴대폰|연락처",
    re.IGNORECASE,
)
_CUE_AFTER = re.compile(
    r"[\s,(-]{0,3}(?:is|ist|es|est)?\s?(?:my|our|the|mein)?\s?(?:best\s|new\s|work\s|home\s|office\s)?"
    r"(?:mobile|cell|phone|tel|telephone|handy|number|landline|whatsapp|fax)\b(?!\s(?:of|in|case))"
    r"|[\s,]?[(-](?:office|desk|home|work)\b|\s(?:office|desk)\s?(?:$|\n)",
    re.IGNORECASE,
)
_EXTENSION = re.compile(
    r"[ ,]{0,2}(?:(?:ext|extn|extension|доб|分机|转)\.? ?|x ?)\d{1,6}(?!\d)", re.IGNORECASE
)
_TIGHT = re.compile(r"[ .\-/]|  | - |\)[ .-]?|[ -]?\(")
"""What may stand between two groups of one number."""
_DATE = re.compile(
    r"(?:[0-3]?\d([./-])[01]?\d\1(?:19|20)?\d\d|(?:19|20)\d\d([./-])[01]?\d\2[0-3]?\d)(?!\d)"
)


def phones(text: str) -> Iterator[Found]:
    """Give the telephone numbers of a text."""
    for groups in runs(text, _FEWEST):
        said = None  # whether a number was announced is asked once, and where it matters
        first = 0
        while first < len(groups):
            near = groups[first : first + _MOST_GROUPS]
            n = _shaped(text, near)
            if not n:
                said = _is_announced(text, groups[0]) if said is None else said
                is_near = near[0].start - groups[0].start <= _REACH
                n = _cued(text, near, is_announced=said and is_near)
            if n:
                yield _found(text, groups[first : first + n])
            first += max(n, 1)


def _found(text: str, number: Sequence[Group]) -> Found:
    start = number[0].start
    start -= len(number[0].sign) if number[0].sign in ("+", "(", "(+") else 0
    extension = _EXTENSION.match(text, number[-1].end)
    end = number[-1].end if extension is None else extension.end()
    return Found(start, end, Kind.PHONE)


def _shaped(text: str, groups: Sequence[Group]) -> int:
    """Give how many groups, from the first on, are a number by their shape alone; 0 for none."""
    for n in _lengths(text, groups):
        if _is_international(groups[:n]) or _is_national(groups[:n]):
            return n
    return 0


def _cued(text: str, groups: Sequence[Group], *, is_announced: bool) -> int:
    """Give how many groups, from the first on, are a number since words say so; 0 for none."""
    for n in _lengths(text, groups[:_MOST_CUED]):
        if is_announced or _CUE_AFTER.match(text, groups[n - 1].end):
            return n
    return 0


def _lengths(text: str, groups: Sequence[Group]) -> Iterator[int]:
    """Give the numbers of groups that may be one telephone number, the largest first."""
    together, digits = 1, [len(groups[0].digits)]
    while together < len(groups) and _is_tight(text, groups, together):
        digits.append(digits[-1] + len(groups[together].digits))
        together += 1
    if digits[-1] < _FEWEST or _DATE.match(text, groups[0].start):
        return
    for n in range(together, 0, -1):
        if _FEWEST <= digits[n - 1] <= _MOST:
            yield n


def _is_tight(text: str, groups: Sequence[Group], place: int) -> bool:
    """Say whether a group belongs to the one before; only an area code stands in brackets."""
    sign, end = groups[place].sign, groups[place].end
    if "(" in sign and not (place == 1 and text[end : end + 1] == ")" and len(groups) > 2):
        return False
    return _TIGHT.fullmatch(sign) is not None


def _is_international(number: Sequence[Group]) -> bool:
    """Say whether a number begins with + or 00, the code of a country, and has enough digits."""
    digits = joined(number)
    if "+" in number[0].sign:
        pass
    elif digits.startswith("00") and len(digits) >= 10:
        digits = digits[2:]
    else:
        return False
    for n_code in (3, 2, 1):
        code, national = digits[:n_code], digits[n_code:]
        if code in NATIONAL_DIGITS:
            fewest, most = NATIONAL_DIGITS[code]
            is_trunk_shown = any(group.digits == "0" and "(" in group.sign for group in number[1:])
            return fewest <= len(national) - is_trunk_shown <= most
    fewest, most = _ANY_COUNTRY
    return not digits.startswith("0") and fewest <= len(digits) <= most


def _is_national(number: Sequence[Group]) -> bool:
    """Say whether digits stand in groups as only telephone numbers do."""
    digits, sizes = joined(number), tuple(len(group.digits) for group in number)
    if sizes[0] == 1 and digits[0] in "18":  # the trunk of North America, of Russia
        trunk, digits, sizes = digits[0], digits[1:], sizes[1:]
        if trunk == "8" and sizes == (3, 3, 2, 2):
            return True
        return trunk == "1" and sizes == (3, 3, 4)
    if sizes == (3, 3, 4) and _is_north_american(digits):
        return "/" not in number[1].sign
    if re.fullmatch(r"1[3-9]\d{9}", digits) and sizes in ((11,), (3, 4, 4), (3, 8), (7, 4)):
        return True  # mobile, China
    if sizes[0] in (2, 3, 4, 5) and re.match(r"0[1-9]", digits) and len(sizes) > 1:
        return 9 <= len(digits) <= 11 and min(sizes) >= 2
    is_in_brackets = number[0].sign.startswith("(") and number[0].end < number[-1].start
    return is_in_brackets and sizes[0] in (2, 3, 4) and 9 <= len(digits) <= 11 and min(sizes) >= 2


def _is_north_american(digits: str) -> bool:
    return digits[0] in "23456789" and digits[3] in "23456789"


def _is_announced(text: str, first: Group) -> bool:
    return _CUE.search(before(text, first.start)) is not None
