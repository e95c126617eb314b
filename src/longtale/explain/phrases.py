"""The sentences of explanations in two languages; `prose` and `refusals` fill them in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

from longtale.errors import QueryError, did_you_mean
from longtale.explain.codes import Saying

Audience = Literal["user", "editor", "engineer"]
"""Who reads: one friendly sentence, reasons with shares, or every number."""
Language = Literal["en", "zh"]
_T = TypeVar("_T", bound=str)
_LONGEST = 80
"""Signs of a title that are shown; of a longer one, those at its ends: variants differ there."""
_HEAD = 50


@dataclass(frozen=True)
class Phrases:
    """How one language puts things; braces name what is filled in."""

    clause: Callable[[Saying], str]
    quoted: str
    last: str
    comma: str
    own: str
    owing: str
    here: str
    second: str
    not_here: str
    fills: str
    mention: str
    matched: str
    standing: str
    share: str
    needed: str
    not_needed: str
    barred: str
    times: Callable[[int], str]
    bands: Mapping[str, str]
    stages: Mapping[str, str]
    other_stage: str
    nearest: str
    lets_in: str
    changes: Mapping[str, str]
    no_filter: str
    at_rank: str

    def titled(self, title: str) -> str:
        """Quote a title, on one line and not too long."""
        line = " ".join(title.split())
        if len(line) > _LONGEST:
            line = f"{line[:_HEAD].rstrip()} … {line[_HEAD - _LONGEST :].lstrip()}"
        return self.quoted.format(line)

    def listed(self, names: Sequence[str]) -> str:
        """Put names behind each other: A, B and C."""
        *others, last = names
        return f"{self.comma.join(others)}{self.last}{last}" if others else last


def phrases_of(audience: Audience, language: Language) -> Phrases:
    """Give the phrases of a language.

    Raises:
        QueryError: there is no such audience, or no such language.
    """
    _checked("audience", audience, get_args(Audience))
    return PHRASES[_checked("language", language, get_args(Language))]


def _checked(noun: str, value: _T, allowed: Sequence[str]) -> _T:
    if value not in allowed:
        hint = did_you_mean(value, allowed)
        raise QueryError(f"unknown {noun} '{value}'; expected one of {', '.join(allowed)}{hint}")
    return value


def _english_times(n: int) -> str:
    return {0: "never chosen", 1: "chosen once"}.get(n, f"chosen {n:,} times")


ENGLISH = Phrases(
    clause=lambda saying: saying.english,
    quoted="'{}'",
    last=" and ",
    comma=", ",
    own="what you chose",
    owing=" (most of all since you chose {items})",
    here="We suggest {item} because {why}.",
    second=", and because ",
    not_here="{item} is not in the list, though {why}.",
    fills="{item} only fills the list: nothing that suits you better is left.",
    mention=" (both mention {words})",
    matched=" ({words})",
    standing="{item} ({band}, {times}) stands at place {rank:,} of {of:,} by its score.",
    share=" {weight:.0%}: {why}.",
    needed=" Without {items} it would stand at place {rank:,}, outside the first {n}.",
    not_needed=" No set of up to {most} items of the history was found without which it would"
    " leave the first {n}.",
    barred=" It is kept out ({stage}); this is told as if it might come.",
    times=_english_times,
    bands={"head": "head", "torso": "torso", "tail": "tail", "new": "new"},
    stages={
        "unknown": "There is no item {item}.",
        "shown": "{item} is in the list; by its score it stands at place {rank:,}.",
        "hidden": "{item} was taken out of the catalogue or hidden.",
        "not_available": "{item} cannot be had at this time.",
        "rule": "A rule of the editors keeps {item} out.",
        "muted": "{item} was muted.",
        "excluded": "{item} was excluded from this list.",
        "seen": "{item} is known already: it was chosen or turned down before.",
        "filter": "{item} does not meet the filter.",
        "unscored": "Nothing is known that speaks for {item}; it stands at place {rank:,} of"
        " {of:,}, and the list has {n}.",
        "score": "{item} stands at place {rank:,} of {of:,} by its score, and the list has {n}.",
        "dials": "{item} stands at place {rank:,} by its score, and what arranges the list put"
        " others before it.",
    },
    other_stage="{item} is kept out at the stage '{stage}'.",
    nearest=" Perhaps {item} is meant.",
    lets_in=" It comes if {change}.",
    changes={
        "lift": "it is let through ({})",
        "filter": "the filter is: {}",
        "at_rest": "these dials are at rest: {}",
        "n": "the list has {:,} places",
        "long_tail": "the long-tail dial is at {:.2f}",
        "touch": "somebody first chooses {}",
        "say": "somebody asks for {}",
    },
    no_filter="there is no filter",
    at_rank=" (at place {rank:,} by score)",
)
CHINESE = Phrases(
    clause=lambda saying: saying.chinese,
    quoted="《{}》",
    last="和",
    comma="、",
    own="您选过的内容",
    owing="（主要因为您选过{items}）",
    here="为您推荐{item}，因为{why}。",
    second="，而且",
    not_here="{item}不在列表中，虽然{why}。",
    fills="{item}只是用来补足列表：没有更适合您的了。",
    mention="（两者都提到{words}）",
    matched="（{words}）",
    standing="{item}（{band}，{times}）按得分在{of:,}个候选中排第{rank:,}位。",
    share="{weight:.0%}：{why}。",
    needed="如果没有{items}，它会排在第{rank:,}位，不在前{n}名之内。",
    not_needed="没有找到这样的历史条目（至多{most}个）：去掉它们，它就会离开前{n}名。",
    barred="它被挡在外面（{stage}）；以上是假设它可以出现时的说明。",
    times=lambda n: f"被选择{n:,}次" if n else "从未被选择",
    bands={"head": "头部", "torso": "腰部", "tail": "长尾", "new": "新品"},
    stages={
        "unknown": "没有{item}这个条目。",
        "shown": "{item}在列表中；按得分排第{rank:,}位。",
        "hidden": "{item}已被移除或隐藏。",
        "not_available": "{item}目前不可提供。",
        "rule": "编辑的规则排除了{item}。",
        "muted": "{item}已被屏蔽。",
        "excluded": "{item}被排除在这个列表之外。",
        "seen": "{item}已经出现过：以前被选择过或拒绝过。",
        "filter": "{item}不符合筛选条件。",
        "unscored": "没有任何依据支持{item}；它在{of:,}个候选中排第{rank:,}位，而列表只有{n}个。",
        "score": "{item}按得分在{of:,}个候选中排第{rank:,}位，而列表只有{n}个。",
        "dials": "{item}按得分排第{rank:,}位，但列表的编排把其他条目放在了它前面。",
    },
    other_stage="{item}在“{stage}”这一步被挡下。",
    nearest="也许您指的是{item}。",
    lets_in="如果{change}，它就会出现。",
    changes={
        "lift": "放行它（{}）",
        "filter": "筛选条件为：{}",
        "at_rest": "关闭这些调节：{}",
        "n": "列表有{:,}个位置",
        "long_tail": "长尾调节为{:.2f}",
        "touch": "先选择{}",
        "say": "提出想要{}",
    },
    no_filter="没有筛选条件",
    at_rank="（按得分排第{rank:,}位）",
)
PHRASES: Mapping[str, Phrases] = {"en": ENGLISH, "zh": CHINESE}
