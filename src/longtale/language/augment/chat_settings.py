"""Settings of the language model that says texts differently."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from longtale.settings import Settings


class ChatSettings(Settings):
    """An endpoint that speaks the chat protocol of OpenAI, such as a local vLLM or Ollama.

    Only the texts that are handed in are sent, and nothing unless an address is given.
    """

    url: str = Field(min_length=1, pattern=r"^https?://")
    """Where it listens, up to what stands before `/chat/completions`: `http://localhost:11434/v1`."""
    model: str = Field(min_length=1)
    """The model that shall answer, as the endpoint names it."""
    key_variable: str = ""
    """Environment variable that holds the key; empty sends none."""
    through: str = ""
    """Language into which a text is translated, and from there back; empty asks for a paraphrase
    at once. Translating costs two requests a text."""
    language: str = Field(default="English", min_length=1)
    """Language of the texts, into which they are translated back."""
    max_requests: int = Field(default=1000, ge=1)
    """Requests after which no more are made, repeated ones included; other texts stay as they
    are."""
    temperature: float = Field(default=0.7, ge=0, le=2)
    """How freely the model chooses its words."""
    max_tokens: int = Field(default=512, ge=1)
    """Longest answer."""
    timeout_s: float = Field(default=60.0, gt=0)
    """Seconds to wait for an answer."""
    retries: int = Field(default=3, ge=0)
    """How often a request that failed for a passing reason is made again."""
    wait_s: float = Field(default=1.0, ge=0)
    """Seconds before it is made again the first time, then twice as long each time; an endpoint
    that says how long is believed, up to a minute."""
    cache: Path | None = None
    """File in which answers are kept, so that no text is sent twice; None keeps them for this run
    alone."""
