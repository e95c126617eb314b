"""Who somebody is: names that are given as one's own or signed with, and dates of birth.

Titles hold names too (My Name Is Khan, Dr. Strangelove, Call Me Ishmael). So a name is found only
behind words that introduce it, written as a sentence and not as a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from longtale.privacy.kind import Found, Kind
from longtale.privacy.scan import BEGINS, CAPITAL, ENDS, any_of, says, words

_TITLE = (
    r"(?:(?i:mr|mrs|ms|mx|miss|mister|dr|doctor|prof|professor|sir|madam|rev|herr|frau|m|mme)\.?\s)"
)
_PARTICLE = (
    r"(?:(?:de|da|do|dos|del|della|di|du|van|von|der|den|ter|la|le|al|el|bin|ibn|ben|y|zu|St\.?)\s)"
)
_PART = rf"(?:{CAPITAL}(?:[\w'-]|\.(?=\S)){{1,24}}|{CAPITAL}\.?(?![\w]))"
_SUFFIX = r"(?:,?\s(?:Jr|Sr|II|III|IV|PhD|MD|Esq)\b\.?)"
_FULL = rf"{_TITLE}{{0,2}}{_PARTICLE}{{0,2}}{_PART}(?:\s{_PARTICLE}{{0,2}}{_PART}){{0,4}}{_SUFFIX}?"
_NOT_NAMES = any_of(
    "a an the and or but so not no my your his her its our their this that these those it i you we"
    " they he she is are was were be been am do does did have has had on in at of to for from with"
    " by as if then than too also very just only all any some what which who whom where when why"
    " how more most here there now never always irrelevant unknown private secret listed nobody"
    " none misspelled wrong"
)
_SMALL = (
    rf"(?!{_NOT_NAMES}(?!\w))[a-z][\w'-]{{1,24}}(?:\s(?!{_NOT_NAMES}(?!\w))[a-z][\w'-]{{1,24}})?"
)

_OWN = (
    r"(?:[Mm]y (?:full |first |last |real )?name(?:'s| is)|MY NAME IS|[Tt]he name(?:'s| is)"
    r"|[Jj]e m'appelle|[Mm]on nom est|[Ii]ch heiße|[Mm]ein Name ist|[Mm]e llamo|[Mm]i nombre es"
    r"|[Mm]i chiamo|[Mm]eu nome é|[Mm]e chamo|[Мм]еня зовут|[Mm]ijn naam is|[Jj]ag heter)"
)
_ROLE = r"(?:full|first|last|middle|family|given|maiden|customer|patient|cardholder|contact|my)"
_REGARDS = (
    r"(?:(?:kind(?:est)?|best|warm(?:est)?|many)\sregards|best\swishes|sincerely(?:\syours)?"
    r"|respectfully|yours\s(?:truly|sincerely|faithfully)|mit\sfreundlichen\sgrüßen|cordialement"
    r"|saludos|atentamente)[,:]?|(?:regards|signed|yours),\s?\n|(?:regards|signed)[,:]"
)
_LAST_LINE = r"(?:thanks|thank\syou|many\sthanks|cheers|best|love|xoxo|ciao|lg|vg|gruß)"
_COMPOUND = r"欧阳|司马|上官|诸葛|东方|皇甫|尉迟|公孙|慕容|令狐|夏侯|司徒|端木|南宫"
_HAN = r"[\u4e00-\u9fff]"
_I_AM = r"(?:I am|I'm|i am|i'm)"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{BEGINS}{_OWN}:?\s(?P<name>{_FULL}|{_SMALL})",
        rf"{BEGINS}(?:{_I_AM}|[Tt]his is|[Hh]ere is)\s(?P<name>{_TITLE}{_FULL})",
        rf"{BEGINS}[Tt]his is\s(?P<name>{_FULL})(?=,?\s(?:speaking|here|calling|writing|from\s))",
        rf"{BEGINS}(?:{_I_AM}|[Ii]t's)\s(?P<name>{_PART}\s{_PART})(?=\s(?:from|calling|and I)\b|,)",
        rf"{BEGINS}(?i:{_REGARDS})\s+-?\s?(?P<name>{_FULL})",
        rf"{BEGINS}(?i:{_LAST_LINE})[,.!]?\s?\n\s?-?\s?(?P<name>{_FULL})\.?\s*(?:$|\n)",
        rf"{BEGINS}(?i:{_ROLE}\sname|surname|contact\sperson|attn|cardholder|nombre|vorname|nachname)"
        rf"\s?[:=]\s?(?P<name>{_FULL})",
        rf"(?:^|[.;,!?(。\n]\s?)(?i:name|nom)\s?[:=]\s?(?P<name>{_FULL})",
        rf"{BEGINS}Dear\s(?P<name>{_TITLE}{_FULL})",
        r"(?<!《)(?:我叫|我的名字[叫是]|名字叫|姓名\s?[:是为]?\s?|本人叫?|(?:联系|收件)人\s?[:是]?\s?)"
        rf"(?P<name>(?:{_COMPOUND}){_HAN}{{1,2}}|{_HAN}{{2,3}}(?!{_HAN})|{_HAN}{{2}})",
    )
)

_MONTHS = any_of(
    "january february march april may june july august september october november december jan feb"
    " mar apr jun jul aug sep sept oct nov dec januar februar märz mai juni juli oktober dezember"
    " janvier février mars avril juin juillet août septembre octobre novembre décembre enero"
    " febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre gennaio"
    " febbraio aprile maggio giugno luglio settembre ottobre dicembre"
)
_DATE = "|".join(
    (
        r"(?:\d{1,2}\s?[./-]\s?\d{1,2}(?:\s?[./-]\s?(?:\d{4}|\d{2})|\.|(?![\d./-]))",  # 12.03.1985
        r"\d{4}[./-]\d{1,2}[./-]\d{1,2}",
        r"(?:19|20)\d{6}",
        r"(?:the\s)?\d{1,2}(?:st|nd|rd|th|er|\.)?,?\s(?:of\s|de\s)?"
        rf"{_MONTHS}\.?(?:,?\s(?:de\s)?'?\d{{2,4}})?",  # 12th of March, 1985
        rf"{_MONTHS}\.?\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?",  # March 12, 1985
        rf"\d{{1,2}}-{_MONTHS}-\d{{2,4}}",
        r"(?:\d{2,4}年)?\d{1,2}月\d{1,2}[日号]|\d{4}年(?:\d{1,2}月)?)",
    )
)
_BIRTH = (
    r"(?:\b(?:born(?:\son)?|birth\s?date|b(?:irth)?-?\s?day|date\sof\sbirth|d\.?o\.?b\.?|b\."
    r"|year\sof\sbirth|geboren(?:\sam)?|geburtsdatum|geburtstag|geb\.|née?(?:\(e\))?(?:\sle)?"
    r"|date\sde\snaissance|nacid[oa](?:\sel)?|fecha\sde\snacimiento|nat[oa](?:\sil)?"
    r"|data\sdi\snascita|nascid[oa](?:\sem)?|data\sde\snascimento|född|geboortedatum)"
    r"|出生日期|出生于|出生|生日|生年月日|誕生日|生于)"
)
_BETWEEN = (
    r"(?:\s?\((?:[dmy]{1,4}[./-]?){2,3}\))?(?:[.?]\sit(?:'s|\sis))?"
    r"\s?(?:is|was|falls|ist|est|es|[:=,#→-]|是|为|在)?\s?(?:on\s)?"
)
_BORN_BEHIND = r"\s?(?:出生|生まれ|is\smy\sb(?:irth)?-?day|,?\s?\((?:birthday|born|dob)\))"
_BORN = re.compile(
    rf"{_BIRTH}{_BETWEEN}(?P<date>{_DATE}){ENDS}|(?<!\d)(?P<dated>{_DATE}){_BORN_BEHIND}",
    re.IGNORECASE,
)

_NAME_WORDS = words(
    "name nombre nom_ vorname appelle attn: cardholder contact_person regards wishes sincerely"
    " respectfully yours signed heiße llamo chiamo chamo зовут naam heter grüßen cordial saludos"
    " atentamente dear i'm_ i_am_ this_is_ it's_ here_is_ 叫 名 本人 联系人 收件人"
)
_LAST_LINES = words("thank cheers best love xoxo ciao lg vg gruß")
_BIRTH_WORDS = words(
    "born birth bday b-day dob d.o.b b._ geb né nac nat nas född 出生 生日 生年 誕生 生于 生まれ"
)


def names(text: str) -> Iterator[Found]:
    """Give the names that somebody introduces or signs with."""
    if not (says(text, _NAME_WORDS) or ("\n" in text and says(text, _LAST_LINES))):
        return
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            yield Found(*match.span("name"), Kind.NAME)


def birth_dates(text: str) -> Iterator[Found]:
    """Give the dates that the text calls a birth or a birthday."""
    for match in _BORN.finditer(text) if says(text, _BIRTH_WORDS) else ():
        yield Found(*match.span("date" if match["date"] else "dated"), Kind.BIRTH_DATE)
