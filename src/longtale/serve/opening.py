"""From a project to a running service: bundle, store, sessions, all that the settings name."""

from __future__ import annotations

from collections.abc import Mapping

from longtale.contracts import EventStore
from longtale.data.event import EventKind
from longtale.feedback.group_commit import SlateKeeper
from longtale.feedback.sessions import open_limiter, open_sessions
from longtale.feedback.stores import open_store
from longtale.monitor.telemetry import Telemetry
from longtale.monitor.tracing import Tracing
from longtale.recommend.bundle import load
from longtale.recommend.project import Project
from longtale.serve.admission import Gate
from longtale.serve.auth import refuse_unsafe
from longtale.serve.engine import Engine
from longtale.serve.registry import Registry
from longtale.serve.service import Service
from longtale.serve.visits import Visits


def open_service(project: Project, *, store: EventStore | None = None) -> Service:
    """Load the bundle, open the store, and know all that is in it.

    Args:
        project: settings, and the folder that their paths start from.
        store: the log, where it is open already; None opens the one that the settings name.

    Raises:
        BundleError: the bundle is not whole.
        StoreError: the store cannot be reached.
        SettingsError: others than this machine are to be served, and there is no key.
    """
    serve = project.settings.serve
    store = open_store(serve.store, project.folder) if store is None else store
    try:
        return _service(project, store)
    except BaseException:
        store.close()
        raise


def _service(project: Project, store: EventStore) -> Service:
    serve, kinds = project.settings.serve, kinds_of(project)
    visits = Visits(open_sessions(serve.sessions), kinds)
    registry = Registry(project.bundle, project.folder / serve.models)
    engine = Engine(
        load(project.bundle),
        store,
        kinds,
        find_bundle=registry.find,
        heard=_nobody if visits.are_shared else visits.note,
        commit_wait_ms=serve.commit_wait_ms,
    )
    try:
        refuse_unsafe(serve.host, engine.views.keys)
        engine.renew()
        engine.learn()
        telemetry = Telemetry()
        return Service(
            engine,
            project.settings,
            visits,
            open_limiter(serve.sessions),
            telemetry,
            SlateKeeper(store),
            registry,
            Gate(serve.admission, telemetry=telemetry),
            tracing=Tracing.to(serve.traces),
            folder=project.folder,
        )
    except BaseException:
        engine.close()
        raise


def _nobody(_: object) -> None:
    """Hear nothing: what is shared is noted by the process that took it in."""


def kinds_of(project: Project) -> Mapping[str, EventKind]:
    """Give how much interest each kind of event shows, by name."""
    return project.settings.data.all_kinds()
