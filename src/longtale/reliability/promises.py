"""The table of guarantees: what is promised, by which figures, how it is tried, what is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from longtale.reliability.bench import Bench
from longtale.reliability.guarantee import Guarantee, Mutant, NotTriedError, Outcome
from longtale.reliability.trials.access import access, scopes_skipped
from longtale.reliability.trials.accounting import accounting, rejects_dropped
from longtale.reliability.trials.corruption import corruption, digests_unread
from longtale.reliability.trials.exclusions import exclusions, seen_shown
from longtale.reliability.trials.explanations import anything_cited, explanations
from longtale.reliability.trials.ingest import each_event_alone, ingest
from longtale.reliability.trials.kills import acknowledging_early, kills
from longtale.reliability.trials.ladder import ladder, nothing_said
from longtale.reliability.trials.malformed import malformed, reading_anything
from longtale.reliability.trials.new_items import new_items, nothing_placed
from longtale.reliability.trials.outage import lists_need_the_store, outage
from longtale.reliability.trials.overload import overload, without_bounds
from longtale.reliability.trials.own_writes import own_writes, stale_answers
from longtale.reliability.trials.personal_data import emails_kept, personal_data
from longtale.reliability.trials.power_losses import power_losses, without_sync
from longtale.reliability.trials.reads import reads, slow_answers
from longtale.reliability.trials.retries import ids_ignored, retries
from longtale.reliability.trials.swaps import swapped_in_parts, swaps
from longtale.reliability.trials.training import training, written_in_place


def language_models(bench: Bench) -> Outcome:
    """Try nothing: there is nothing to try.

    Raises:
        NotTriedError: always.
    """
    raise NotTriedError("not applicable: no language model takes part in answering")


@contextmanager
def unchanged() -> Iterator[None]:
    """Break nothing."""
    yield


GUARANTEES: tuple[Guarantee, ...] = (
    Guarantee(
        "kills",
        "an acknowledged event is never lost, though the server is killed",
        "0 lost, 0 invented in 200 kills",
        kills,
        Mutant("events are acknowledged before they are committed", acknowledging_early),
    ),
    Guarantee(
        "power-losses",
        "an acknowledged event is never lost, though the power is cut",
        "0 lost, 0 invented in 1,000 losses of power",
        power_losses,
        Mutant("SQLite syncs nothing (synchronous=OFF)", without_sync),
    ),
    Guarantee(
        "retries",
        "retries do not double-count",
        "each event sent 1 to 5 times, across restarts: the state equals that of a single send",
        retries,
        Mutant("ids of events are ignored", ids_ignored),
    ),
    Guarantee(
        "accounting",
        "nothing is dropped silently",
        "accepted + duplicates + rejected = sent; each reject with line, pointer, code and hint",
        accounting,
        Mutant("rejects are dropped without a word", rejects_dropped),
    ),
    Guarantee(
        "ingest",
        "events come in durably and fast",
        "at least 500 single events a second, p99 at most 50 ms; at least 10,000 a second in bulk",
        ingest,
        Mutant("each event waits for the disk by itself", each_event_alone),
    ),
    Guarantee(
        "reads",
        "slates come fast, on the full path with reasons",
        "p50 at most 10 ms one by one, p99 at most 50 ms at 100 a second, at least 200 a second",
        reads,
        Mutant("each answer takes 60 ms longer", slow_answers),
    ),
    Guarantee(
        "own-writes",
        "you read your writes, whichever worker answers",
        "100 % known to the next answer that is asked with `min_seq`, 2 workers",
        own_writes,
        Mutant("`min_seq` is ignored", stale_answers),
    ),
    Guarantee(
        "new-items",
        "a new item is live",
        "in search, similar and recommend within 5 s",
        new_items,
        Mutant("new items are not placed", nothing_placed),
    ),
    Guarantee(
        "exclusions",
        "what was seen, hidden, muted, expired or ruled out never comes, on no rung of the ladder",
        "0 in 100,000 lists",
        exclusions,
        Mutant("what was seen is not screened", seen_shown),
    ),
    Guarantee(
        "outage",
        "lists go on without the store",
        "reads 100 % served and flagged, writes 503 with Retry-After, recovery at most 5 s: "
        "EIO, ENOSPC, locked, PostgreSQL stopped",
        outage,
        Mutant("each list asks the store first", lists_need_the_store),
    ),
    Guarantee(
        "malformed",
        "malformed input does no harm",
        "0 answers of 5xx, memory +50 MB at most, a body over 8 MiB is 413",
        malformed,
        Mutant("JSON of any depth, NaN and halves of characters are read", reading_anything),
    ),
    Guarantee(
        "overload",
        "overload slows nobody down who is let in",
        "at 5 times the capacity for 60 s: goodput at least 90 % of the peak, admitted p99 at most "
        "250 ms, the rest 429 or 503 within 10 ms, normal again in 5 s",
        overload,
        Mutant("everybody is let in", without_bounds),
    ),
    Guarantee(
        "ladder",
        "whatever part fails, there is an answer",
        "each level answers 200 and says in `degraded` what failed",
        ladder,
        Mutant("lower rungs say nothing", nothing_said),
    ),
    Guarantee(
        "swaps",
        "models are swapped under load",
        "0 errors, 0 lists of two models in 100 swaps, rollback at most 2 s",
        swaps,
        Mutant("the name of the model is read later than its scores", swapped_in_parts),
    ),
    Guarantee(
        "corruption",
        "a corrupted bundle is refused",
        "100 % of 10,000 flipped bits, cut, missing, swapped and added files and links; the good "
        "one goes on answering",
        corruption,
        Mutant("digests are not compared", digests_unread),
    ),
    Guarantee(
        "language-models",
        "trouble with a language model is invisible",
        "recommend p99 +10 % at most, prose by template instead",
        language_models,
        Mutant("nothing", unchanged),
    ),
    Guarantee(
        "access",
        "nobody does what their key does not allow",
        "100 % of every route as {nobody, a stranger, read, write, admin}; 0 secrets in logs and "
        "files",
        access,
        Mutant("scopes are not compared", scopes_skipped),
    ),
    Guarantee(
        "personal-data",
        "personal data are masked, and whoever is forgotten is gone",
        "masking recall at least 0.98; forgotten within 1 s in answers, 0 bytes left in the files",
        personal_data,
        Mutant("addresses of e-mail are not masked", emails_kept),
    ),
    Guarantee(
        "explanations",
        "explanations are true",
        "what is cited matters more than other items in at least 80 %; every cited id exists",
        explanations,
        Mutant("items of the history are cited at random", anything_cited),
    ),
    Guarantee(
        "training",
        "training is bounded and survives being killed",
        "100,000 items and 1,000,000 events in at most 4 GB; time left is told; nothing half-made "
        "is left behind",
        training,
        Mutant("bundles are written in place", written_in_place),
    ),
)
"""All guarantees, in the order in which they are tried."""
