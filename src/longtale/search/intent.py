"""What a wish in words asks for and what it rules out: "science fiction, no war".

One pass over the text looks for cues. A cue of negation ("no", "not too", "without", "don't want",
"不要") opens a dislike, which ends at a comma, semicolon, full stop, bracket, dash or new line, at
"but" or the like, or where a new wish begins ("and with", "and more", "I want"). The rest is liked.

Titles survive by two rules. Quoted text (“ ”, " ", 《 》, 「 」) is never searched for cues. And a
cue with a capital, followed by at least two more capitalised words with no more than small words
between them, begins a title: "No Country for Old Men" is a like; "No war", "NO WAR" and, without
quotes, "No Escape" are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Repetitions are bounded or over a single set of characters, so that the pass takes linear time.
_QUOTED = r'"[^"]*"|“[^“”]*”|《[^《》]*》|「[^「」]*」'
_CAPITAL = r"(?:[A-Z][\w'’-]*[a-z][\w'’-]*|[AIU])(?![\w'’-])"
_TITLE = (
    r"(?-i:(?:I )?(?:No|Not|Nor|Never|Nothing|Without|Less|Avoid|Hate|Except)"
    rf"(?:(?: (?:a|an|the|for|of|in|on|to|at|from)){{0,3}} {_CAPITAL}){{2,6}})"
)
_IDIOM = (
    r"not (?:only|just|bad)|no (?:matter|problem|one)|nothing but|more or less"
    r"|(?:no )?(?:less|fewer) than|less[ -](?:known|obvious|popular|famous)"
    r"|can(?:['’]?t|not) get enough of"
)
_NEGATION = (
    r"no(?: more)?|not|nor|neither|none of|without|less|fewer"
    r"|nothing(?= (?:with|about|like|too|of|that))|anything but|except(?: for)?"
    r"|excluding|other than|apart from|instead of|rather than"
    r"|(?:i )?never (?:want|like|watch|read)|enough of|(?:tired|sick) of|fed up with"
    r"|(?:i )?(?:really )?(?:hate|dislike|avoid|can(?:['’]?t|not) stand)"
    r"|(?:(?:i|it|they) )?(?:really )?(?:do|does|did|should|must|is|are)(?: not|n['’]?t)"
    r"(?! (?:only|just|bad))(?: really)?(?: (?:want|like|need|enjoy|care for|feel like|be|have))?"
)
_CHINESE_NEGATION = (
    r"我?(?:不(?:太|怎么|大)?喜欢|不想要?|不要|讨厌|拒绝|避免|少一?点|(?<!得)不看"
    r"|(?<![特告分性区级离类个辨识鉴])别(?![人墅的名致处扭]))"
    r"(?:再|太|任何|看|听|读|给我|推荐|有(?![趣名意]))*"
    r"|没有(?:太多?|任何)?|不太"
)
_TURN = (
    r"(?<![\w'’-])(?:but|however|though|although|instead(?! of))(?![\w'’-])|(?<!不)但是?|不过|可是"
)
_NEW_WISH = (
    r"(?<![\w'’-])(?:and (?:with|more|some|something|plenty|lots|give me|i)"
    r"|i(?: would|['’]d)? (?:want|like|love|prefer))(?![\w'’-])"
    r"|我[想要]|想[要看听读]|喜欢"
)
_SIGN = re.compile(
    rf"(?P<kept>{_QUOTED}|(?<![\w'’-])(?:{_TITLE}|(?:{_IDIOM})(?![\w'’-])))"
    rf"|(?P<cue>(?<![\w'’-])(?:{_NEGATION})(?![\w'’-])|{_CHINESE_NEGATION})"
    rf"|(?P<turn>{_TURN})"
    rf"|(?P<end>[,;!?()\[\]，；。！？（）—–]|[.…](?= |$)| - |(?={_NEW_WISH}))"
    r"|(?P<of>的(?=\w))",
    re.IGNORECASE,
)
_MODIFIERS = ("没有", "不太")
"""Chinese cues whose dislike comes before what it describes: 没有战争的科幻片."""

_MARKS = " ,;.!?:-()[]，；。！？：、（）—–…"
_OPENERS = frozenset(["and", "or", "please"])
_FILLERS = _OPENERS | {"any", "anything", "too", "so", "very", "much", "many", "to", "see", "watch"}
_FILLERS |= {"with", "about", "like", "that", "is", "be"}
_TRAILERS = frozenset(
    ["and", "or", "with", "that", "which", "who", "is", "are", "I", "i", "please", "at", "all"]
)


@dataclass(frozen=True)
class Wish:
    """A wish taken apart; either side may be empty, several parts are joined by commas."""

    likes: str
    dislikes: str


def parse_wish(text: str) -> Wish:
    """Tell what a wish asks for from what it rules out, in English and Chinese.

    Rules only, in time linear in the length of the text; any text is a wish. Where nothing is ruled
    out, the likes are the text as it stands, but for its white space.

    Example:
        >>> parse_wish("slow-burn science fiction, no war")
        Wish(likes='slow-burn science fiction', dislikes='war')
    """
    line = "; ".join(" ".join(part.split()) for part in text.splitlines() if part.strip())
    likes: list[str] = []
    dislikes: list[str] = []
    start, cue = 0, ""
    for match in _SIGN.finditer(line):
        kind = match.lastgroup
        closes = (kind == "end" and cue) or (kind == "of" and cue.startswith(_MODIFIERS))
        if closes or kind in ("cue", "turn"):
            (dislikes if cue else likes).append(line[start : match.start()])
            start, cue = match.end(), match.group() if kind == "cue" else ""
    (dislikes if cue else likes).append(line[start:])
    disliked = _joined(dislikes, _FILLERS).rstrip("的了吧")
    return Wish(_joined(likes, _OPENERS), disliked) if disliked else Wish(line, "")


def _joined(pieces: list[str], openers: frozenset[str]) -> str:
    trimmed = (_trimmed(piece, openers) for piece in pieces)
    return ", ".join(piece for piece in trimmed if piece)


def _trimmed(piece: str, openers: frozenset[str]) -> str:
    words = piece.strip(_MARKS).split(" ")
    first, last = 0, len(words)
    while first < last and words[first].lower() in openers:
        first += 1
    while first < last and words[last - 1] in _TRAILERS:
        last -= 1
    return " ".join(words[first:last]).strip(_MARKS)
