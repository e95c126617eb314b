"""Why an item is in a slate or not, and which of its words moved it: `explain`."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from longtale.cli.command import Outcome
from longtale.cli.options import (
    DEFAULT_CONFIG,
    BundleOption,
    ConfigOption,
    FilterOption,
    Length,
    open_bundle,
    open_project,
)
from longtale.cli.render import safe
from longtale.explain.phrases import Audience, Language

if TYPE_CHECKING:
    from longtale.language.attribution import TextAttribution
    from longtale.recommend.pipeline import Recommender
    from longtale.recommend.question import Question

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto }}
body {{ padding: 0 1rem }}
.attribution span {{ padding: .1em .15em; border-radius: .2em }}
small {{ opacity: .75 }}
</style>
<h1>{title}</h1>
<p>{text}</p>
{words}
<p><small>Blue words bring the item near to what was asked, orange ones away; point at a word for
its share of the cosine, which is {score:.3f}, and {base:.3f} without any word.</small></p>
</html>
"""


def explain(
    item: Annotated[str, typer.Argument(help="Id of the item.", show_default=False)],
    user: Annotated[
        str | None, typer.Option("--user", "-u", help="Id of the user who is recommended to.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    bundle: BundleOption = None,
    n: Length = 10,
    text: Annotated[str, typer.Option("--text", "-t", help="What was wanted in words.")] = "",
    history: Annotated[
        list[str] | None,
        typer.Option("--history", help="Id of an item just touched; again for more, oldest first."),
    ] = None,
    condition: FilterOption = "",
    audience: Annotated[Audience, typer.Option("--for", help="Who reads it.")] = "editor",
    language: Annotated[Language, typer.Option("--language", help="Of the sentences.")] = "en",
    words: Annotated[
        Path | None,
        typer.Option(
            "--words",
            help="Page to write, with the words of the item that moved its meaning towards what "
            "was asked; needs the extra `language`.",
        ),
    ] = None,
) -> Outcome:
    """Say why an item is in a slate, or what keeps it out.

    Nothing is made up: reasons are read off the score, and what would change it is tried.
    """
    from longtale.explain.prose import told
    from longtale.explain.refusals import refused
    from longtale.recommend import explaining
    from longtale.recommend.question import Question

    recommender = open_bundle(config, bundle)
    question = Question.of(
        recommender, user, history=history or (), text=text, n=n, filter=condition
    )
    found = explaining.explain(recommender, question, item)
    said = told(found, audience, language)
    values: dict[str, Any] = {"explanation": found.as_dict(), "text": said}
    if found.place is None:
        why_not = explaining.why_not(recommender, question, item)
        values["why_not"] = why_not.as_dict()
        values["text"] = said = f"{said}\n{refused(why_not, audience, language)}"
    shares = None
    if words is not None:
        shares = _word_shares(recommender, question, item, config)
        values["words"] = [{"word": word, "share": share} for word, share in shares.words]
        values["written"] = str(words)
        words.write_text(_page(found.item.title, said, shares, language), encoding="utf-8")

    def draw(console: Console) -> None:
        console.print(safe(said))
        if shares is not None:
            console.print()
            console.print(_coloured(shares))
            console.print(f"written: {words}", style="dim")

    return Outcome(values, draw)


def _word_shares(
    recommender: Recommender, question: Question, item: str, config: Path
) -> TextAttribution:
    from longtale.encode.encoder import HASHED
    from longtale.encode.model_folder import find_model
    from longtale.errors import SettingsError
    from longtale.recommend.word_shares import word_shares

    model = open_project(config).settings.encode.model
    if model == HASHED:
        raise SettingsError(
            f"encode.model = '{HASHED}' is no language model that could be asked about words; "
            "train with one, such as encode.model = 'minilm'"
        )
    return word_shares(recommender, question, item, find_model(model))


def _coloured(shares: TextAttribution) -> Text:
    """Colour the words that moved the score most, by which way, with their shares."""
    largest = max(abs(share) for _, share in shares.words)
    shown = Text()
    for word, share in shares.words:
        strong = abs(share) > largest / 4
        style = ("bold blue" if share > 0 else "yellow") if strong else ""
        shown.append(safe(word), style)
        shown.append(f" {share:+.2f} " if strong else " ", "dim")
    return shown


def _page(title: str, text: str, shares: TextAttribution, language: str) -> str:
    from longtale.language.attribution import as_html

    return _PAGE.format(
        language=language,
        title=html.escape(title),
        text=html.escape(text).replace("\n", "<br>"),
        words=as_html(shares),
        score=shares.score,
        base=shares.base,
    )
