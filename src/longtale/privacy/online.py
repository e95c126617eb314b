"""Where somebody can be found online: mail, accounts, machines, and pages with a key in them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import BEGINS, CJK, ENDS, SIGN, any_of, says, words

_LOCAL = rf"(?:{SIGN}|[.!#$%&'*+/=?^`{{|}}~-])"
_DOMAIN = rf"(?:(?:{SIGN}|-){{1,63}}\.){{1,8}}(?:xn--[a-z\d-]{{2,59}}|[a-z]{{2,24}})(?![a-z\d-])"
_EMAIL = re.compile(
    rf"(?<![.!#$%&'*+/=?^`{{|}}~-]){BEGINS}{_LOCAL}{{1,128}}@(?:{_DOMAIN}|\[[\d.]{{7,15}}\])",
    re.IGNORECASE,
)
_OPEN, _SHUT = r"\s?[\[({<]\s?", r"\s?[\])}>]\s?"
_SPOKEN_AT = rf"(?:{_OPEN}(?:at|arroba|@){_SHUT}|\sat\s)"
_SPOKEN_DOT = rf"(?:{_OPEN}(?:dot|punkt|\.){_SHUT}|\sdot\s|\.)"
_WORD = rf"(?:{SIGN}|[+-]){{1,40}}"
_SPOKEN = re.compile(
    rf"{BEGINS}{_WORD}(?:{_SPOKEN_DOT}{_WORD}){{0,3}}(?P<at>{_SPOKEN_AT}){_WORD}"
    rf"(?:{_SPOKEN_DOT}{_WORD}){{1,3}}(?!-){ENDS}",
    re.IGNORECASE,
)
_SPOKEN_SIGNS = (" dot ", "at)", "at]", "at}", "at>", "at )", "at ]", "@)", "@]", "arroba")
_LAST_PART = re.compile(r"(?:[a-z]{2}|com|org|net|edu|info|biz|app|dev|name)$", re.IGNORECASE)

_HANDLE = re.compile(
    rf"(?<![@/.\w-])@[A-Za-z_](?:[\w-]|\.(?=\w)){{2,38}}|(?<=[{CJK}])@[\w-]{{3,39}}"
)
_SITES = any_of(
    "instagram insta ig twitter tiktok telegram tg discord snapchat snap skype reddit facebook fb"
    " wechat weixin line_id kakaotalk kakao mastodon bluesky tumblr twitch steam gamertag psn xbox"
    " username user_name handle nickname screen_name"
)
_ACCOUNT = re.compile(
    rf"(?:{BEGINS}{_SITES}(?:\s(?:id|name|handle|user|account))?(?:\s?[:=]\s?|\sis\s|\s(?=@))"
    rf"|{BEGINS}{_SITES}\s(?=[a-z][a-z._-]{{0,30}}[\d_.#])"
    rf"|(?:微信号?|薇信|微博|{BEGINS}QQ号?)\s?[:=是]?\s?)(?P<name>@?\w(?:[\w#-]|\.(?=\w)){{2,38}})"
    r"|(?:\bu/|\bskype\s?:?\s?live:|\b(?:t\.me|twitter\.com|x\.com|instagram\.com|facebook\.com|tiktok\.com"
    r"|github\.com|linkedin\.com/in)/@?)(?P<page>[\w.-]{2,39}\w)",
    re.IGNORECASE,
)
_ACCOUNT_WORDS = words(
    "insta ig_ ig: twitter tiktok telegram tg discord snap skype reddit facebook fb wechat weixin"
    " line_id kakao mastodon bluesky tumblr twitch steam gamertag psn xbox username user_name"
    " handle nickname screen_name 微信 薇信 微博 qq u/ t.me x.com github linkedin"
)
_HAS_SIGNS = re.compile(r"[\d_.#@]")

_URL = re.compile(
    rf"{BEGINS}[a-z][a-z\d+.-]{{1,20}}://[^\s<>\"'“”，。；）】\ufffc]{{3,2000}}", re.IGNORECASE
)
_TRAILING = ".,;:!?)]}"
_ONE_TIME = re.compile(
    r"/(?:reset|verify|confirm|activate|invite|unsubscribe|magic|token|share|login)[\w-]{0,12}/"
    r"(?=[\w-]{0,60}\d)[\w-]{12,80}",
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"(?:^|[_.-])(?:key|code|sig|auth|sid|otp|pin|pass)$|token|secret|passw|pwd|signature|session"
    r"|credential|api_?key|jwt|hmac|ticket",
    re.IGNORECASE,
)

_DOTTED = re.compile(r"\d\.\d{1,3}\.\d")
_IPV4 = re.compile(rf"(?<![.\d-]){BEGINS}(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?!\.?\d|-\d){ENDS}")
_VERSION = re.compile(
    r"(?:\b(?:version|release|firmware|build|ver|rev|section|chapter)|§)\.?\s?v?$", re.IGNORECASE
)
_IPV6 = re.compile(
    rf"(?<![:.]){BEGINS}" r"(?:[\da-f]{0,4}:){2,8}(?:[\da-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?",
    re.IGNORECASE,
)


def emails(text: str) -> Iterator[Found]:
    """Give the mail addresses of a text, those with `[at]` and `dot` too."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            yield Found(match.start(), match.end(), Kind.EMAIL)
    for match in _SPOKEN.finditer(text) if says(text, _SPOKEN_SIGNS) else ():
        is_plain = match["at"].strip().lower() == "at"
        said = match.group()
        if _LAST_PART.search(said) and not (is_plain and " dot " not in said.lower()):
            yield Found(match.start(), match.end(), Kind.EMAIL)


def handles(text: str) -> Iterator[Found]:
    """Give the names of accounts: with @, or behind the name of a site."""
    if "@" in text:
        for match in _HANDLE.finditer(text):
            yield Found(match.start(), match.end(), Kind.HANDLE)
    for match in _ACCOUNT.finditer(text) if says(text, _ACCOUNT_WORDS) else ():
        if match["page"] or _HAS_SIGNS.search(match["name"]):
            yield Found(*match.span("page" if match["page"] else "name"), Kind.HANDLE)


def urls(text: str) -> Iterator[Found]:
    """Give the addresses of pages that hold a password, a token or a key."""
    for match in _URL.finditer(text) if "://" in text else ():
        url = match.group().rstrip(_TRAILING)
        if _has_password(url) or _has_key(url):
            yield Found(match.start(), match.start() + len(url), Kind.URL)


def _has_password(url: str) -> bool:
    authority = re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]
    user, at, _ = authority.rpartition("@")
    return bool(at) and (":" in user or len(user) >= 16)


def _has_key(url: str) -> bool:
    if _ONE_TIME.search(url):
        return True
    names = (part.partition("=") for part in re.split("[?&#;]", url)[1:])
    return any(len(value) >= 4 and _TELLING.search(name) for name, _, value in names)


def ips(text: str) -> Iterator[Found]:
    """Give the addresses of machines, of version 4 and 6."""
    for match in _IPV4.finditer(text) if _DOTTED.search(text) else ():
        parts = match.group().split(".")
        is_one = all(int(part) < 256 and (part == "0" or part[0] != "0") for part in parts)
        if is_one and not _VERSION.search(text, max(0, match.start() - 12), match.start()):
            yield Found(match.start(), match.end(), Kind.IP)
    for match in _IPV6.finditer(text) if "::" in text or text.count(":") >= 7 else ():
        if _is_version_6(match.group()):
            yield Found(match.start(), match.end(), Kind.IP)


def _is_version_6(shown: str) -> bool:
    if sum(c.isalnum() for c in shown) < 4 or not any(c.isdigit() for c in shown):
        return False  # `a::b` is code, not an address
    try:
        ipaddress.IPv6Address(shown)
    except ValueError:
        return False
    return True
