"""From text to words, and from words to the terms that are counted.

A word is a run of letters and digits, in lower case, of any script. Scripts that put no spaces
between words give runs of characters instead, whose terms are its pairs of neighbours, as Lucene's
CJK analyser has them: 科幻小说 counts as 科幻, 幻小 and 小说. The term of any other word is its
English stem (Porter 2001, Snowball), with accents taken off.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import polars as pl
import Stemmer

_UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\x{30FC}\x{FF70}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
)
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]"
_WORD = rf"[{_UNSPACED}]+|{_LETTER}+(?:['’]{_LETTER}+)*"
_ACCENTS = range(0x300, 0x370)


def words_in(texts: pl.Series) -> pl.Series:
    """Give the words of each of n texts, lists of String (n,); a missing text has none.

    Example:
        >>> words_in(pl.Series(["The 3D-Printer’s nozzle: 喷嘴"])).to_list()
        [['the', '3d', 'printer’s', 'nozzle', '喷嘴']]
    """
    return texts.cast(pl.String).fill_null("").str.to_lowercase().str.extract_all(_WORD)


def are_spaced(words: pl.Series) -> pl.Series:
    """Say which words are of a script that puts spaces between words, Boolean (n,)."""
    return ~words.str.contains(rf"^[{_UNSPACED}]")


def terms_of(words: Sequence[str]) -> list[list[tuple[str, str]]]:
    """Give each word's terms, each with the part of the word that it stands for.

    Example:
        >>> terms_of(["printers", "小说家"])
        [[('printer', 'printers')], [('小说', '小说'), ('说家', '说家')]]
    """
    # A stemmer must not be shared among threads; to make one takes less than a microsecond.
    stem = Stemmer.Stemmer("english", 0).stemWord
    spaced = are_spaced(pl.Series(words, dtype=pl.String)).to_list()
    return [
        [(stem(_plain(word)), word)] if is_spaced else [(pair, pair) for pair in _pairs(word)]
        for word, is_spaced in zip(words, spaced, strict=True)
    ]


def _plain(word: str) -> str:
    if word.isascii():
        return word
    apart = unicodedata.normalize("NFKD", word.replace("’", "'"))
    return "".join(sign for sign in apart if ord(sign) not in _ACCENTS) or word


def _pairs(word: str) -> list[str]:
    characters = unicodedata.normalize("NFKC", word)
    return ["".join(pair) for pair in pairwise(characters)] or [characters]
