"""Numbers of payment cards and bank accounts, told from other numbers by their check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from longtale.privacy import check_digits
from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import BEGINS, Group, before, joined, runs

_ISSUER = re.compile(
    r"4(?:.{12}|.{15}|.{18})|5[1-5].{14}|3[47].{13}|35(?:2[89]|[3-8]\d).{12}"
    r"|(?:22[2-9]\d|2[3-6]\d\d|27[01]\d|2720|220[0-4]|6011|64[4-9]\d|65\d\d|8[12]\d\d|9792).{12}"
    r"|3(?:0[0-5]|[689]\d).{11}|62.{14,17}|(?:50|5[6-9]|6[0-9]).{11,17}"
)
"""First digits and lengths of Visa, Mastercard, American Express, JCB, Mir, Discover, RuPay, Troy,
Diners, UnionPay and Maestro (ISO/IEC 7812 and the lists of the issuers)."""
_CARD_CUE = re.compile(
    r"card|\bcc\b|\bpa(?:y|id)\b|visa|master|amex|credit|debit|karte|carte|tarjeta|卡",
    re.IGNORECASE,
)
_SHAPES = frozenset(
    [(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 5, 6), (6, 13), (8, 8)]
)

_IBAN = re.compile(rf"{BEGINS}[A-Z]{{2}}\d\d(?=(?:[ -]?[A-Z\d]){{11}})", re.IGNORECASE)
IBAN_LENGTHS: Mapping[str, int] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
    "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15,
    "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an account number by country (IBAN registry of SWIFT)."""


def cards(text: str) -> Iterator[Found]:
    """Give the numbers of payment cards."""
    for groups in runs(text, 12):
        for first in range(len(groups)):
            for n in (5, 4, 3, 2, 1):
                number = groups[first : first + n]
                if len(number[0].digits) > 3 and len(number) == n and _is_card(text, number):
                    yield Found(number[0].start, number[-1].end, Kind.CARD)


def _is_card(text: str, number: Sequence[Group]) -> bool:
    sizes = tuple(len(group.digits) for group in number)
    if len(sizes) > 1 and (sizes not in _SHAPES or len({group.sign for group in number[1:]}) > 1):
        return False
    digits = joined(number)
    if not (12 <= len(digits) <= 19 and check_digits.luhn(digits)):
        return False
    is_short = len(digits) < 15 and len(sizes) == 1  # as many digits as a bar code
    if _ISSUER.fullmatch(digits) and not is_short:
        return True
    return _CARD_CUE.search(before(text, number[0].start)) is not None


def ibans(text: str) -> Iterator[Found]:
    """Give the numbers of bank accounts, with or without spaces."""
    for match in _IBAN.finditer(text):
        length = IBAN_LENGTHS.get(match.group()[:2].upper())
        if length is not None:
            end = _end_of(text, match.start(), length)
            number = re.sub("[ -]", "", text[match.start() : end]).upper()
            if end and check_digits.iban(number):
                yield Found(match.start(), end, Kind.IBAN)


def _end_of(text: str, start: int, n: int) -> int:
    """Give the place behind n letters and digits with at most one sign between; 0 where none is."""
    pattern = rf"[A-Za-z\d](?:[ -]?[A-Za-z\d]){{{n - 1}}}(?![A-Za-z\d])"
    match = re.compile(pattern).match(text, start)
    return 0 if match is None else match.end()
