"""Numbers that states give to people, told by form, check digits and the date in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from longtale.privacy import check_digits
from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import before

Check = Callable[[str], bool]

_SEPARATORS = re.compile(r"[\s.()+-]")
_SOME_DIGITS = re.compile(r"\d(?:[^\d]{0,3}\d){3}")


class _Form(NamedTuple):
    """How the numbers of one state look.

    Args:
        state: whose they are.
        pattern: of the number, separators included.
        is_valid: its check, of the number in upper case without separators.
        cue: what must be said before it; empty where the form says enough.
    """

    state: str
    pattern: str
    is_valid: Check = lambda _: True
    cue: str = ""


def _dated(order: str, check: Check = lambda _: True) -> Check:
    """Give a check that also wants a date in front: `ymd`, or `Ymd` with the century."""

    def is_valid(number: str) -> bool:
        at, parts = 0, {"y": 0, "m": 0, "d": 0}
        for part in order:
            size = 4 if part == "Y" else 2
            parts[part.lower()] = int(number[at : at + size])
            at += size
        year = parts["y"] if "Y" in order else 2000 + parts["y"]
        # Poland adds to the month and Sweden to the day for some.
        return _is_date(year, parts["m"] % 20, parts["d"] % 60) and check(number)

    return is_valid


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return year >= 1850


def _is_ssn(number: str) -> bool:
    area, group, serial = number[:3], number[3:5], number[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _is_resident(number: str) -> bool:
    return _dated("Ymd")(number[6:14]) and check_digits.resident_id(number)


def _is_south_african(number: str) -> bool:
    return _dated("ymd", check_digits.luhn)(number)


def _is_finnish(number: str) -> bool:
    """Say whether a Finnish number is one; of its signs of the century letters remain."""
    digits = number[:6] + (number[7:] if len(number) == 11 else number[6:])
    return _dated("dmy")(digits) and check_digits.hetu(digits)


_S = "[ .-]?"
_ID_CUE = r"\bid\b|identity|personal|national|身份|证件"
_FORMS = (
    _Form("United States", r"\d{3}([ -])\d\d\1\d{4}", _is_ssn),
    _Form("United States", r"\d{3}[ -]?\d\d[ -]?\d{4}", cue=r"\bssn\b|social security|\bitin\b"),
    _Form("China", rf"\d{{6}}{_S}\d{{8}}{_S}\d{{3}}[\dX]", _is_resident),
    _Form("United Kingdom", r"(?![DFIQUV])[A-Z](?![DFIQUVO])[A-Z] ?\d\d ?\d\d ?\d\d ?[A-D]"),
    _Form("United Kingdom", rf"\d{{3}}{_S}\d{{3}}{_S}\d{{4}}", cue=r"\bnhs\b"),
    _Form("Spain", rf"\d{{8}}{_S}[A-Z]", check_digits.dni),
    _Form("Spain", rf"[XYZ]{_S}\d{{7}}{_S}[A-Z]", check_digits.dni),
    _Form("Italy", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", check_digits.codice_fiscale),
    _Form(
        "France",
        rf"[12]{_S}\d\d{_S}[0-5]\d{_S}(?:\d\d|2[AB]){_S}\d{{3}}{_S}\d{{3}}{_S}\d\d",
        check_digits.nir,
    ),
    _Form("Brazil", r"\d{3}\.\d{3}\.\d{3}-\d\d", check_digits.cpf),
    _Form("Brazil", r"\d{11}", check_digits.cpf, r"\bcpf\b"),
    _Form("India", r"[2-9]\d{3}([ -])\d{4}\1\d{4}", check_digits.verhoeff),
    _Form("India", r"[2-9]\d{11}", check_digits.verhoeff, r"aadhaa?r|uidai|" + _ID_CUE),
    _Form("India", r"[A-Z]{3}[PCHABGJLFT][A-Z]\d{4}[A-Z]", cue=r"\bpan\b"),
    _Form("Canada", r"\d{3}[ -]?\d{3}[ -]?\d{3}", check_digits.luhn, r"\bsin\b|social insurance"),
    _Form("Poland", r"\d{11}", _dated("ymd", check_digits.pesel)),
    _Form(
        "Netherlands", rf"\d{{4}}{_S}\d\d{_S}\d{{3}}", check_digits.eleven, r"\bbsn\b|burgerservice"
    ),
    _Form("Sweden", r"\d{6}[-+]\d{4}", _dated("ymd", check_digits.luhn)),
    _Form("Sweden", r"(?:19|20)\d{6}-?\d{4}", _dated("Ymd", lambda n: check_digits.luhn(n[2:]))),
    _Form("Finland", r"\d{6}[-+A-FU-Y]\d{3}[\dA-Y]", _is_finnish),
    _Form("Denmark", r"\d{6}-\d{4}", _dated("dmy"), r"\bcpr\b|personnummer"),
    _Form("Norway", r"\d{6} ?\d{5}", cue=r"fødselsnummer|personnummer"),
    _Form("Belgium", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", check_digits.rijksregister),
    _Form("Belgium", r"\d{11}", check_digits.rijksregister, r"rijksregister|registre national"),
    _Form("South Korea", r"\d{6}-[1-8]\d{6}", _dated("ymd")),
    _Form(
        "Japan",
        r"\d{4}[ -]?\d{4}[ -]?\d{4}",
        check_digits.my_number,
        r"マイナンバー|個人番号|my number",
    ),
    _Form("Taiwan", r"[A-Z][1289]\d{8}", check_digits.taiwan),
    _Form("Hong Kong", r"[A-Z]{1,2}\d{6}\([\dA]\)", check_digits.hong_kong),
    _Form("Singapore", r"[STFG]\d{7}[A-Z]", check_digits.nric),
    _Form("Turkey", r"[1-9]\d{10}", check_digits.tckn, r"kimlik|tckn|\bt\.?c\.?\b|" + _ID_CUE),
    _Form("South Africa", rf"\d{{6}}{_S}\d{{4}}{_S}[01]\d{_S}\d", _is_south_african),
    _Form("Mexico", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z\d]\d", check_digits.curp),
    _Form("Chile", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", check_digits.rut),
    _Form("Chile", r"\d{7,8}-?[\dK]", check_digits.rut, r"\brut\b|\brun\b"),
    _Form("Russia", r"\d{3}-\d{3}-\d{3}[ -]\d\d", check_digits.snils),
    _Form("Russia", r"\d{11}", check_digits.snils, r"снилс|snils"),
    _Form(
        "Germany",
        r"\d\d ?\d{3} ?\d{3} ?\d{3}",
        check_digits.tax_id,
        r"steuer-?(?:id|identifikation)|idnr|tax id",
    ),
    _Form("Switzerland", r"756\.\d{4}\.\d{4}\.\d\d"),
    _Form("Israel", r"\d{9}", check_digits.luhn, r"teudat|תעודת זהות|" + _ID_CUE),
    _Form("Australia", r"\d{3} ?\d{3} ?\d{2,3}", cue=r"\btfn\b|tax file"),
    _Form("Australia", r"\d{4} ?\d{5} ?\d", cue=r"medicare"),
)
_STARTS = re.compile(r"(?<![A-Za-z0-9_])(?<!\d[.-])(?=[A-Za-z]{0,6}[ .-]?\d)")
_ENDS = r"(?![A-Za-z0-9_])(?!-\d)"
_READ = tuple(
    (
        re.compile(form.pattern + _ENDS, re.IGNORECASE),
        form.is_valid,
        re.compile(form.cue, re.IGNORECASE | re.ASCII) if form.cue else None,
    )
    for form in _FORMS
)
_DOCUMENT = re.compile(
    r"(?:passport|driver'?s?\slicen[cs]e|driving\slicen[cs]e|identity\scard|id\scard|national\sid"
    r"|personalausweis|reisepass|pasaporte|passeport|护照|驾照|驾驶证|通行证|身份证|paspoort)"
    r"(?:\s?(?:number|no\.?|num\.?|nummer|id|#|号码?))?\s?(?:is|was|[:=#]|是|为)?\s?"
    r"(?P<number>(?=[A-Z-]{0,5}\d)[A-Z\d][A-Z\d-]{4,18}[A-Z\d])(?![A-Za-z0-9_])",
    re.IGNORECASE,
)


def national_ids(text: str) -> Iterator[Found]:
    """Give the numbers of passports, identity cards, social security and taxes."""
    if not _SOME_DIGITS.search(text):
        return
    for start in _STARTS.finditer(text):
        for pattern, is_valid, cue in _READ:
            match = pattern.match(text, start.start())
            if match is None:
                continue
            number = _SEPARATORS.sub("", match.group()).upper()
            if is_valid(number) and (cue is None or cue.search(before(text, match.start()))):
                yield Found(match.start(), match.end(), Kind.NATIONAL_ID)
    for match in _DOCUMENT.finditer(text):
        yield Found(*match.span("number"), Kind.NATIONAL_ID)
