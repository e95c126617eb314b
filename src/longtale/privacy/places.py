"""Where somebody lives: street addresses, and postcodes that are called so.

Films and books are named after addresses (84 Charing Cross Road, 10 Cloverfield Lane). So a number
and a street are taken for one only where more speaks for it: a flat, a town with its postcode, or
words before it such as "live at" or "send it to".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import BEGINS, CAPITAL, ENDS, SIGN, any_of, before, says, words

_WAYS = frozenset(
    words(
        "street st avenue ave av road rd boulevard blvd lane ln drive dr court ct place pl square"
        " sq terrace ter way crescent cres close parkway pkwy highway hwy circle cir trail trl row"
        " mews grove groves gardens gdns walk alley quay parade pde esplanade loop path plaza"
        " turnpike hill hills heights ridge ridges bend run park parks wharf rise view expressway"
        " freeway route green causeway crossing crossroad point points station springs valley"
        " valleys village ville vista meadow meadows manor mill mills mission mount mountain"
        " orchard pass passage pike pines port ports prairie ranch rapids rest river shoals shore"
        " shores skyway spring spur stream summit track trace tunnel union unions via viaduct"
        " walks wall wells bluff branch bridge brook brooks burg bypass camp canyon cape center"
        " centers cliff cliffs club common corner corners course cove coves creek crest curve dale"
        " dam divide estate estates extension fall falls ferry field fields flat flats ford fords"
        " forest forge forges fork forks fort garden gateway glen glens harbor harbors haven"
        " hollow inlet island islands isle junction key keys knoll knolls lake lakes land landing"
        " light lights loaf locks lodge mall neck oval overpass plain plains radial roads squares"
        " stravenue throughway trafficway underpass villages"
    )
)
_UNIT = (
    r"(?i:(?:Flat|Apt|Apartment|Unit|Suite|Studio|Ste|Room|Rm|Floor|Lot|Level|Building|Bldg"
    r"|Block)"
    r"\.?(?:\s?#?\d\w{0,5}|\s#?[A-Z]\d{0,4})(?!\w)|\#\s?\w{1,5})"
)
_NUMBER = r"\d{1,5}(?:[/-]\d{1,5})?[A-Za-z]?"
_TOWN = rf"{CAPITAL}[\w'.-]{{1,24}}(?:\s{CAPITAL}[\w'.-]{{1,24}}){{0,3}}"
_STATES = any_of(
    "Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Georgia"
    " Hawaii Idaho Illinois Indiana Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts"
    " Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada New_Hampshire"
    " New_Jersey New_Mexico New_York North_Carolina North_Dakota Ohio Oklahoma Oregon Pennsylvania"
    " Rhode_Island South_Carolina South_Dakota Tennessee Texas Utah Vermont Virginia Washington"
    " West_Virginia Wisconsin Wyoming"
)
_REGION = rf"(?:[A-Z]{{2}}\.?|[A-Z][A-Za-z]{{0,5}}\.|[A-Z]\.\s?[A-Z]\.|{_STATES})"
_CODE = (
    rf"(?:{_REGION},?\s{{1,2}}\d{{5}}(?:-\d{{4}})?"  # United States
    r"|(?:[A-Z]{2},?\s)?[A-Z]\d[A-Z]\s?\d[A-Z]\d"  # Canada
    r"|(?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT),?\s\d{4}"  # Australia
    r"|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})"  # United Kingdom
    rf"(?!-){ENDS}"
)
_STREET = re.compile(
    rf"(?<![#$£€.,/-]){BEGINS}{_NUMBER}(?:,(?=\s{{1,2}}[^\W\d]))?"
    rf"(?P<names>(?:\s{{1,2}}(?:[A-Z]\w{{0,3}}\.(?=\s)|(?:{SIGN}|['-]){{1,25}}(?!['-]){ENDS})){{2,5}})"
)
_WORD = re.compile(r"[\w'-]+")
_BEFORE_STREET = re.compile(rf"{BEGINS}(?:{_UNIT},?|(?i:flat|unit|apt\.?|apartment|suite))\s$")
_DIRECTION = re.compile(r"\.?\s(?:[NSEW]{1,2}|North|South|East|West)(?![\w'-])")
_FLAT = re.compile(rf"\.?[,\s]{{1,2}}{_UNIT}(?!\w)")
_TOWN_CODE = re.compile(rf"\.?(?:[,\s]{{1,2}}{_TOWN}){{1,2}}?[,\s]{{1,2}}{_CODE}")
_TO_CODE = re.compile(
    rf"(?<![#$£€.,/-]){BEGINS}(?:{_NUMBER}|{_UNIT},?)\s{{1,2}}{_TOWN}(?:[,\s]{{1,2}}{_UNIT})?"
    rf"[,\n]\s?{_TOWN}[,\s]{{1,2}}{_CODE}"
)
_BOX = re.compile(
    rf"{BEGINS}(?:(?i:P\.?\s?O\.?\s?Box|Post\sOffice\sBox)\s\d{{1,6}}"
    rf"(?:[,\s]{{1,2}}{_TOWN}[,\s]{{1,2}}{_CODE})?"
    r"|(?:PSC|CMR|Unit|US[A-Z]{1,3})\s\w{1,15}(?:[,\s]{1,2}Box\s\d{1,5})?[,\s]{1,2}[AFD]PO\s[A-Z]{2}\s\d{5})"
)
_NUMBERED = r"[,\s]{1,2}(?:[A-Z]{2,3}\s)?\d{4,6}(?:-\d{3,4})?(?!\w)"
_NEXT_TOWNS = re.compile(
    rf"\.?(?:,\s?{_TOWN}(?:{_NUMBERED})?|\n\s?{_TOWN}{_NUMBERED}){{1,3}}(?:,\s?\d{{5,6}}(?!\w))?"
)
_CUE = re.compile(
    r"\b(?:liv(?:e[sd]?|ing)|resid(?:e[sd]?|ing)|stay(?:s|ed|ing)?|located|based|home|house|flat"
    r"|apartment|mov(?:e[sd]?|ing)|ship(?:ped|ping)?|deliver(?:ed|y)?|sen[dt]|mail(?:ed)?|posted"
    r"|pick|come|came|visit|find|meet|return(?:ed)?|forward(?:ed)?|office|shop|wohne|wohnt|habite"
    r"|lebe)\b(?:\s[\w']{1,12}){0,3}\s?(?:at|to|in|on|is|is\sat|:|an|au|in\sder)\s*$"
    r"|(?:[住在到往]|地址|收件|邮寄)[^。！？]{0,6}$"
    r"|\b(?:address(?:es)?|adresse|c/o)\b[^.!?]{0,20}$",
    re.IGNORECASE,
)
_EUROPEAN = re.compile(
    rf"{BEGINS}(?:{CAPITAL}[\w-]{{2,30}}(?:straße|strasse|str\.|weg|allee|platz|gasse|damm|ufer)"
    r"|(?:[\w-]{2,20}\s){0,2}(?:Straße|Strasse|Allee|Platz|Weg))\s\d{1,4}\s?[a-z]?(?!\w)"
    rf"(?P<code>,?\s(?:D-)?\d{{5}}\s{_TOWN})?"
    rf"|(?<![.,-]){BEGINS}\d{{1,4}}(?:\s?(?:bis|ter))?,?\s(?:rue|avenue|boulevard|bd|chemin|impasse|allée|place"
    rf"|quai|cours|route)\s(?:[\w'-]{{1,20}}\s?){{1,5}}(?P<postal>,\s?\d{{5}}\s{_TOWN})?"
)
_HAN = r"\u4e00-\u9fff"
_CHINESE = re.compile(
    rf"[{_HAN}]{{2,24}}(?:路|街|道|巷|弄|胡同|村|里|段)[东西南北中]?(?:[一二三四五六七八九十]段)?"
    r"\s?[\d一二三四五六七八九十百]{1,5}(?:号|號|弄)"
    r"(?:院|楼)?(?:[A-Za-z\d一二三四五六七八九十]{1,5}(?:号楼|单元|栋|座|幢|楼|层|室|号|房|院)){0,5}"
    r"(?:[A-Za-z]?\d{2,5}室?)?"
)
_CHINESE_LEAD = re.compile(r"^.*(?:[在到是为址于给往]|住)")

_POSTCODE = re.compile(
    r"(?:\b(?:zip(?:\s?code)?|post\s?code|postal\scode|plz|postleitzahl|code\spostal|codice\spostale"
    r"|c[oó]digo\spostal|cep|pin\s?code|postnummer)(?:\s(?:is|was|ist|est|no\.?))?(?:\s?[:=#]\s?|\s)"
    r"|(?:邮编|邮政编码|郵便番号|〒)\s?[:=是为]?\s?)"
    r"(?P<code>\d{5}-\d{3,4}|\d{3}-\d{4}|\d{3}\s\d{2,3}|\d{4,6}(?:\s?[A-Z]{2})?"
    r"|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}|[A-Z]\d[A-Z]\s?\d[A-Z]\d)(?![A-Za-z0-9_])",
    re.IGNORECASE,
)


_EUROPEAN_WORDS = words(
    "straße strasse str. weg_ allee platz gasse damm ufer rue_ avenue boulevard bd_ chemin impasse"
    " allée place_ quai cours route"
)
_POSTCODE_WORDS = words("zip post plz postal cep pin 邮编 邮政 郵便 〒")


def addresses(text: str) -> Iterator[Found]:
    """Give the street addresses of a text, in English, Chinese, German and French."""
    yield from _english(text)
    for pattern in (_TO_CODE, _BOX):
        for match in pattern.finditer(text):
            yield _with_town(text, _with_unit(text, match.start()), match.end())
    for match in _EUROPEAN.finditer(text) if says(text, _EUROPEAN_WORDS) else ():
        is_certain = match["code"] is not None or match["postal"] is not None
        if is_certain or _is_cued(text, match.start()):
            yield Found(match.start(), match.end(), Kind.ADDRESS)
    for match in _CHINESE.finditer(text):
        street = re.split(r"[路街道巷弄村里段号]", match.group(), maxsplit=1)[0]
        lead = _CHINESE_LEAD.match(street)
        start = match.start() + (0 if lead is None else lead.end())
        yield Found(start, match.end(), Kind.ADDRESS)


def _english(text: str) -> Iterator[Found]:
    """Give numbers with the name of a street, where more says that it is an address."""
    for match in _STREET.finditer(text):
        end = _end_of_street(match["names"], match.start("names"))
        if end is None:
            continue
        start = _with_unit(text, match.start())
        is_certain = start < match.start()
        for pattern, says_enough in ((_DIRECTION, False), (_FLAT, True), (_TOWN_CODE, True)):
            further = pattern.match(text, end)
            if further is not None:
                end, is_certain = further.end(), is_certain or says_enough
        if is_certain or _is_cued(text, start):
            yield _with_town(text, start, end)


def _end_of_street(names: str, start: int) -> int | None:
    """Give where the name of a street ends: Old Mill Road is one, Mill Road near a park too."""
    end = None
    for word in list(_WORD.finditer(names))[1:]:
        if word.group().lower() in _WAYS:
            end = start + word.end()
        elif end is not None and not word.group()[0].isupper():
            break
    return end


def _with_unit(text: str, start: int) -> int:
    """Give where an address begins whose street begins here: with a flat or a suite before it."""
    unit = _BEFORE_STREET.search(text, max(0, start - 25), start)
    return start if unit is None else unit.start()


def _with_town(text: str, start: int, end: int) -> Found:
    """Give an address with the towns that commas join to it."""
    town = _NEXT_TOWNS.match(text, end)
    return Found(start, end if town is None else town.end(), Kind.ADDRESS)


def _is_cued(text: str, start: int) -> bool:
    return _CUE.search(before(text, start, 50)) is not None


def postcodes(text: str) -> Iterator[Found]:
    """Give the postcodes that the text calls so."""
    for match in _POSTCODE.finditer(text) if says(text, _POSTCODE_WORDS) else ():
        yield Found(*match.span("code"), Kind.POSTCODE)
