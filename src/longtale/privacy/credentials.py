"""Passwords, keys and tokens: those with a known beginning, and those that words announce."""

from __future__ import annotations

import re
from collections.abc import Iterator

from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import BEGINS, any_of, says, words

_KNOWN = re.compile(
    rf"{BEGINS}(?:"
    r"(?:AKIA|ASIA|AROA|AIDA)[A-Z\d]{12,}"  # Amazon
    r"|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|sk-(?:proj-|ant-)?[\w-]{16,}|(?:sk|pk|rk|whsec)_(?:live_|test_)?[A-Za-z\d]{16,}"
    r"|xox[abeoprs]-[\w-]{10,}|AIza[\w-]{20,}|ya29\.[\w-]{20,}|GOCSPX-[\w-]{16,}"
    r"|hf_[A-Za-z\d]{16,}|npm_[A-Za-z\d]{20,}|pypi-[\w-]{20,}|SG\.[\w-]{10,}\.[\w-]{10,}"
    r"|(?:shpat|shpss|dop_v1|lin_api|ntn|secret|r8|gsk|tvly|pplx|dapi|key)[_-][A-Za-z\d]{24,}"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"  # JWT
    r")"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z\d+/=\s:,.-]{0,10000}"
    r"(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
)
_BEARER = re.compile(r"\b(?:bearer|basic|token)\s+(?P<value>[\w+/.~-]{16,}=*)", re.IGNORECASE)
_NAMES = any_of(
    "password passwort passwd passphrase pwd pw passcode secret token api_key apikey access_key"
    " access_token auth_token client_secret secret_key account_key accountkey sharedaccesskey"
    " private_key pin contraseña senha пароль mot_de_passe"
).replace(r"\s", "[ _-]?")
_ANNOUNCED = re.compile(
    rf"(?:(?<![^\W_]){_NAMES}[\"']?\s?(?:(?:is|was|ist|es)\s|[:=]|=>|->)\s?"
    r"|\bmy\s(?:pin|passcode)\s(?=\d{4,8}\b)"
    r"|(?:密码|口令|密钥|令牌)\s?[是为:=]?\s?)"
    r"[\"'`]?(?P<value>[^\s\"'`，。；、,;()<>\ufffc]{4,200})",
    re.IGNORECASE,
)
_RANDOM = re.compile(rf"{BEGINS}[A-Za-z\d_+/]{{32,}}={{0,2}}")


_KNOWN_WORDS = words(
    "akia asia aroa aida ghp gho ghu ghs ghr github_pat glpat sk- sk pk rk whsec xox aiza ya29"
    " gocspx hf npm pypi- sg. shpat shpss dop lin ntn secret r8 gsk tvly pplx dapi key eyj"
)
_CUE_WORDS = words(
    "passw passp passc passe pwd pw secret token key pin bearer basic contraseña senha пароль"
    " mot_de 密码 口令 密钥 令牌"
)
_LONG = 32


def secrets(text: str) -> Iterator[Found]:
    """Give the passwords, keys and tokens of a text."""
    for match in _KNOWN.finditer(text) if says(text, _KNOWN_WORDS) else ():
        yield Found(match.start(), match.end(), Kind.SECRET)
    for match in _PRIVATE_KEY.finditer(text) if "PRIVATE KEY" in text else ():
        yield Found(match.start(), match.end(), Kind.SECRET)
    for pattern in (_BEARER, _ANNOUNCED) if says(text, _CUE_WORDS) else ():
        for match in pattern.finditer(text):
            value = match["value"].rstrip(".!?:*)]}") if pattern is _ANNOUNCED else match["value"]
            if _looks_drawn(value):
                start = match.start("value")
                yield Found(start, start + len(value), Kind.SECRET)
    has_long = len(text) >= _LONG and any(len(word) >= _LONG for word in text.split())
    for match in _RANDOM.finditer(text) if has_long else ():
        if _is_mixed(match.group()):
            yield Found(match.start(), match.end(), Kind.SECRET)


def _looks_drawn(value: str) -> bool:
    """Say whether something is no word: it has a digit, or signs within, or is very long."""
    has_signs = any(not c.isalpha() and c not in "-'" for c in value)
    return len(value) >= 16 or (len(value) >= 4 and has_signs)


def _is_mixed(value: str) -> bool:
    """Say whether small letters, capitals and digits are mixed as in no word, path or code."""
    digits, capitals = sum(map(str.isdigit, value)), sum(map(str.isupper, value))
    smalls = sum(map(str.islower, value))
    return min(digits, capitals) >= 3 and smalls >= 3 and value.count("/") < 4
