"""Texts said differently by a language model behind an endpoint; needs httpx."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from longtale.contracts import OnProgress
from longtale.errors import MissingExtraError, ServiceError, SettingsError
from longtale.language.augment.answers import Answers
from longtale.language.augment.chat_settings import ChatSettings

if TYPE_CHECKING:
    import httpx

_ONLY = "Keep names, numbers and facts, add nothing, and answer with the text alone."
_PARAPHRASE = f"Say the text of the user in other words, in the same language. {_ONLY}"
_TRANSLATE = f"Translate the text of the user from {{start}} into {{end}}. {_ONLY}"
_LONGEST_WAIT_S = 60.0
_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Answers after which the same may be asked again."""


class Chat:
    """Asks a language model to say texts differently.

    Args:
        settings: which model, and how much it may be asked.
        environment: where the key is looked up; None is the environment of this process.
        wait: waits so many seconds.

    Raises:
        MissingExtraError: httpx is not installed.
        SettingsError: the key's variable is not set.
    """

    def __init__(
        self,
        settings: ChatSettings,
        *,
        environment: Mapping[str, str] | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._wait = wait
        self._answers = Answers(settings.cache)
        self._http = _client(settings, os.environ if environment is None else environment)
        self.n_requests = 0
        """Requests made so far, repeated ones included."""

    def said_differently(
        self, texts: Sequence[str], *, on_progress: OnProgress = None
    ) -> list[str | None]:
        """Give each text in other words.

        A text is sent once, however often it comes, and not at all where the answer is known.

        Args:
            texts: what may be sent; blank ones are not.
            on_progress: is told of finished texts.

        Returns:
            None for a text that is blank, that came back unchanged, cut off or not at all, and for
            all that are left when no more requests may be made.

        Raises:
            ServiceError: the endpoint cannot be reached, or refuses; what was answered is kept.
        """
        found = []
        for text in texts:
            said = self._said(text)
            found.append(said if said and said != text.strip() else None)
            if on_progress is not None:
                on_progress(1)
        return found

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _said(self, text: str) -> str | None:
        said: str | None = text.strip()
        for task in _tasks(self._settings):
            said = self._answer(task, said) if said else None
        return said

    def _answer(self, task: str, text: str) -> str | None:
        asked = (self._settings.model, task, text)
        known = self._answers.get(*asked)
        if known is not None:
            return known
        body = self._posted(self._body(task, text))
        if body is None:
            return None
        answer = self._words_in(body)
        self._answers.put(answer, *asked)
        return answer

    def _body(self, task: str, text: str) -> dict[str, Any]:
        return {
            "model": self._settings.model,
            "messages": [
                {"role": "system", "content": task},
                {"role": "user", "content": text},
            ],
            "temperature": self._settings.temperature,
            "max_tokens": self._settings.max_tokens,
        }

    def _posted(self, body: dict[str, Any]) -> Any:
        """Give what was answered; None where no more requests may be made."""
        import httpx

        for n_before in range(self._settings.retries + 1):
            if self.n_requests >= self._settings.max_requests:
                return None
            self.n_requests += 1
            told = 0.0
            try:
                response = self._http.post("chat/completions", json=body)
                if response.is_success:
                    return response.json()
                problem = f"status {response.status_code}"
                if response.status_code not in _PASSING:
                    break
                told = _seconds(response.headers.get("Retry-After", ""))
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
            except ValueError:
                problem = "an answer that is not JSON"
                break
            if n_before < self._settings.retries:
                pause = max(told, self._settings.wait_s * 2**n_before)
                self._wait(min(pause, _LONGEST_WAIT_S))
        raise ServiceError(self._failed(problem))

    def _words_in(self, body: Any) -> str:
        """Give the words of an answer; none of one that was cut off."""
        try:
            choice = body["choices"][0]
            words = choice["message"]["content"]
        except (KeyError, IndexError, TypeError):
            raise ServiceError(self._failed("no choices[0].message.content")) from None
        is_whole = isinstance(words, str) and choice.get("finish_reason") != "length"
        return words.strip() if is_whole else ""

    def _failed(self, problem: str) -> str:
        key = self._settings.key_variable
        kept = self._settings.cache
        return (
            f"the language model at {self._settings.url} does not answer ({problem}); check the "
            f"address, the model '{self._settings.model}' and the key in "
            f"{key if key else 'key_variable (none is named)'}"
            + (f"; answers so far are kept in '{kept}'" if kept is not None else "")
        )


def _client(settings: ChatSettings, environment: Mapping[str, str]) -> httpx.Client:
    try:
        import httpx
    except ImportError:
        raise MissingExtraError("httpx", extra="serve", purpose="a chat endpoint") from None
    headers = {}
    if settings.key_variable:
        key = environment.get(settings.key_variable, "")
        if not key:
            raise SettingsError(
                f"key_variable = '{settings.key_variable}', but the environment has no such "
                "variable, or an empty one; set it, or name none where no key is needed"
            )
        headers["Authorization"] = f"Bearer {key}"
    return httpx.Client(base_url=settings.url, headers=headers, timeout=settings.timeout_s)


def _tasks(settings: ChatSettings) -> list[str]:
    if not settings.through:
        return [_PARAPHRASE]
    own, other = settings.language, settings.through
    return [_TRANSLATE.format(start=own, end=other), _TRANSLATE.format(start=other, end=own)]


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() else 0.0
