"""Check digits: which numbers of cards, accounts and people can be real.

Every function takes a number without separators, letters in upper case, of the length and letters
that its pattern allows, and says whether its check digits agree with the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_ALPHANUMERIC = "0123456789" + _LETTERS


def luhn(number: str) -> bool:
    """Cards, Canadian SIN, Swedish and South African numbers (ISO/IEC 7812-1, annex B)."""
    doubled = (int(digit) * 2 for digit in number[-2::-2])
    rest = sum(int(digit) for digit in number[::-2])
    return (rest + sum(n - 9 if n > 9 else n for n in doubled)) % 10 == 0


def iban(number: str) -> bool:
    """ISO 13616: country and check digits moved to the end, read as base 36 digits, 1 modulo 97."""
    return int("".join(str(_ALPHANUMERIC.index(c)) for c in number[4:] + number[:4])) % 97 == 1


def weighted(digits: Iterable[str], weights: Sequence[int]) -> int:
    """Give the sum of digits times weights."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True))


def resident_id(number: str) -> bool:
    """Chinese resident identity (GB 11643-1999), ISO 7064 mod 11-2."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[weighted(number[:17], weights) % 11] == number[17]


def verhoeff(number: str) -> bool:
    """Indian Aadhaar (Verhoeff 1969): digits as elements of the dihedral group of order 10."""
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = _product(check, _permuted(int(digit), place % 8))
    return check == 0


def _product(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 + (5 if b >= 5 else 0)
    return (a - b) % 5 + (0 if b >= 5 else 5)


def _permuted(digit: int, times: int) -> int:
    for _ in range(times):
        digit = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)[digit]
    return digit


def dni(number: str) -> bool:
    """Spanish DNI and NIE: the letter is the number modulo 23."""
    digits = number[:-1].translate(str.maketrans("XYZ", "012"))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == number[-1]


def codice_fiscale(number: str) -> bool:
    """Italian codice fiscale (D.M. 12/03/1974): odd places count by a table of their own."""
    odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25]
    odd += [24, 23]
    values = [int(c) if c.isdigit() else _LETTERS.index(c) for c in number[:15]]
    total = sum(odd[value] for value in values[::2]) + sum(values[1::2])
    return _LETTERS[total % 26] == number[15]


def nir(number: str) -> bool:
    """French social security: 97 minus the rest modulo 97; Corsica's 2A, 2B are 19, 18."""
    digits = number[:13].replace("2A", "19").replace("2B", "18")
    return 97 - int(digits) % 97 == int(number[13:])


def cpf(number: str) -> bool:
    """Brazilian CPF: two digits modulo 11, and not eleven times the same."""
    if len(set(number)) == 1:
        return False
    return all(
        weighted(number[:n], range(n + 1, 1, -1)) * 10 % 11 % 10 == int(number[n]) for n in (9, 10)
    )


def pesel(number: str) -> bool:
    """Polish PESEL: weights 1, 3, 7, 9."""
    return weighted(number, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def eleven(number: str) -> bool:
    """Dutch BSN, nine digits: the last counts negatively."""
    return int(number) > 0 and weighted(number, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def hetu(number: str) -> bool:
    """Finnish personal identity, without its sign of the century: modulo 31."""
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(number[:9]) % 31] == number[9]


def rijksregister(number: str) -> bool:
    """Belgian national number: 97 minus the rest modulo 97, a 2 before it since the year 2000."""
    check = int(number[9:])
    return any(97 - int(century + number[:9]) % 97 == check for century in ("", "2"))


def my_number(number: str) -> bool:
    """Japanese individual number, 12 digits."""
    rest = weighted(number[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest <= 1 else 11 - rest) == int(number[11])


def taiwan(number: str) -> bool:
    """Taiwanese identity card: a letter worth two digits, and nine digits."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    return weighted(str(code) + number[1:], (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)) % 10 == 0


def hong_kong(number: str) -> bool:
    """Hong Kong identity card: one or two letters, six digits, a check of 0 to 9 or A."""
    values = [36 if c == " " else _ALPHANUMERIC.index(c) for c in number.rjust(9)]
    return sum(v * w for v, w in zip(values, range(9, 0, -1), strict=True)) % 11 == 0


def nric(number: str) -> bool:
    """Singaporean NRIC (S, T) and FIN (F, G)."""
    total = weighted(number[1:8], (2, 7, 6, 5, 4, 3, 2)) + (4 if number[0] in "TG" else 0)
    return ("JZIHGFEDCBA" if number[0] in "ST" else "XWUTRQPNMLK")[total % 11] == number[8]


def tckn(number: str) -> bool:
    """Turkish identity, 11 digits that do not begin with 0."""
    digits = [int(digit) for digit in number]
    tenth = (7 * sum(digits[0:9:2]) - sum(digits[1:8:2])) % 10
    return digits[0] != 0 and digits[9] == tenth and digits[10] == sum(digits[:10]) % 10


def curp(number: str) -> bool:
    """Mexican CURP, 18 letters and digits, of which the last is the check."""
    letters = "0123456789ABCDEFGHIJKLMN\N{LATIN CAPITAL LETTER N WITH TILDE}OPQRSTUVWXYZ"
    total = sum(letters.index(c) * (18 - place) for place, c in enumerate(number[:17]))
    return (10 - total % 10) % 10 == int(number[17])


def rut(number: str) -> bool:
    """Chilean RUT: weights 2 to 7 from the right, K for 10."""
    body = number[:-1]
    weights = [2 + place % 6 for place in range(len(body))]
    return "0123456789K0"[11 - weighted(reversed(body), weights) % 11] == number[-1]


def snils(number: str) -> bool:
    """Russian pension insurance, 11 digits."""
    return weighted(number[:9], range(9, 0, -1)) % 101 % 100 == int(number[9:])


def tax_id(number: str) -> bool:
    """German tax identification, ISO 7064 mod 11,10."""
    product = 10
    for digit in number[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(number[10])
