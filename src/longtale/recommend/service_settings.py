"""How the service listens, what it allows, how it stays up: section `serve`."""

from __future__ import annotations

from pydantic import Field, field_validator

from longtale.settings import Settings


class AdmissionSettings(Settings):
    """How much work is let in, and what becomes of the rest."""

    max_in_flight: int = Field(default=8, ge=1)
    """Requests that are worked on at once in one process."""
    max_writes: int = Field(default=256, ge=1)
    """Writes that may be under way at once: they share a commit, and wait rather than work."""
    max_waiting: int = Field(default=64, ge=0)
    """Requests that may wait for a place; those beyond are turned away at once (503)."""
    deadline_ms: int = Field(default=200, ge=1)
    """Milliseconds a request may wait for its place; what is late is turned away (503)."""
    requests_per_s: float = Field(default=0.0, ge=0)
    """Requests per second and key, in the mean; 0 sets no limit."""
    burst: int = Field(default=100, ge=1)
    """Requests that a key may have at once beyond its mean."""
    max_body_bytes: int = Field(default=8 * 1024 * 1024, ge=1024)
    """Largest body, after unpacking; a larger one is refused (413)."""
    read_timeout_s: float = Field(default=10.0, gt=0)
    """Seconds in which the whole body must have come (408)."""


class ServeSettings(Settings):
    """The service."""

    host: str = "127.0.0.1"
    """Address to listen at. Any but the loopback needs keys: see `longtale keys`."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen at; 0 takes one that is free."""
    workers: int = Field(default=1, ge=1)
    """Processes that answer. More than one share a store, and limits where there is a Redis."""
    store: str = "sqlite:///events.db"
    """Where events are kept: `sqlite:///FILE` beside the settings file, `postgresql://...`, or
    `memory:` for trials."""
    sessions: str = "memory:"
    """Where sessions and limits are shared: `memory:` (one process) or `redis://...`."""
    models: str = "models"
    """Folder beside the settings file whose subfolders are bundles that may be promoted."""
    commit_wait_ms: float = Field(default=2.0, ge=0)
    """How long a commit waits for further events to share it."""
    learn_every_s: float = Field(default=30.0, gt=0)
    """How often what happened is learned from; every answer knows its user's own events at once."""
    catalog_every_s: float = Field(default=1.0, gt=0)
    """How often new and changed items are encoded and put beside the others."""
    keep_slates: bool = True
    """Keep every slate, so that it can be explained and made again."""
    mask_personal_data: bool = True
    """Take addresses, numbers and the like out of free text before it is kept or logged."""
    traces: str = ""
    """Address of an OpenTelemetry collector (OTLP over HTTP); empty sends nothing."""
    admission: AdmissionSettings = AdmissionSettings()
    """How much is let in."""

    @field_validator("host")
    @classmethod
    def _is_named(cls, host: str) -> str:
        if not host.strip():
            raise ValueError(
                "an empty address would listen everywhere; say 127.0.0.1 for this machine alone, "
                "or 0.0.0.0 if others are meant to come in"
            )
        return host
