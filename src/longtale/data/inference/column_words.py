"""What people call their columns and tables, and which of ours they mean by it."""

from __future__ import annotations

import re
from collections.abc import Sequence

USER = (
    "user_id", "user", "userid", "uid", "customer_id", "customer", "client_id", "member_id",
    "account_id", "visitor_id", "visitorid", "reviewer_id", "reviewerid", "person_id", "reader_id",
    "listener_id", "profile_id", "user_name", "username",
)  # fmt: skip
ITEM = (
    "item_id", "item", "itemid", "iid", "movie_id", "movieid", "film_id", "product_id", "product",
    "parent_asin", "asin", "sku", "article_id", "book_id", "isbn", "song_id", "track_id", "game_id",
    "app_id", "business_id", "news_id", "anime_id", "content_id", "document_id", "doc_id",
    "recipe_id", "listing_id", "offer_id", "video_id", "course_id", "job_id", "poi_id",
)  # fmt: skip
TIME = (
    "time", "timestamp", "ts", "datetime", "date", "event_time", "created_at", "created", "at",
    "unix_review_time", "review_time", "rated_at", "occurred_at", "viewed_at", "purchased_at",
    "purchase_date", "order_date", "t_dat", "day", "time_stamp", "unix_time",
)  # fmt: skip
ORDER = ("position", "order", "seq", "sequence", "step", "event_index", "order_in_user", "idx")
VALUE = (
    "rating", "ratings", "stars", "star_rating", "overall", "overall_rating", "score", "rate",
    "value", "book_rating", "user_rating", "playtime", "hours", "dwell_time", "watch_time",
    "duration", "quantity", "qty", "price", "label",
)  # fmt: skip
KIND = ("kind", "event_type", "event", "type", "action", "behavior", "behaviour", "event_name")
EVENT_ID = ("event_id", "event_uuid", "review_id", "interaction_id")
SLATE = ("slate_id", "slate", "request_id", "impression_id", "recommendation_id", "list_id")
RANK = ("rank", "slot", "position", "place")
PROPENSITY = ("propensity", "propensity_score", "probability", "pscore")
TAG = ("tag", "keyword", "word")
TITLE = (
    "title", "name", "headline", "product_name", "item_name", "movie_title", "book_title",
    "prod_name", "product_title", "track_name", "song_title", "movie_name",
)  # fmt: skip
CREATOR = (
    "brand", "author", "authors", "artist", "artists", "artist_name", "director", "directors",
    "creator", "manufacturer", "studio", "developer", "store", "book_author",
)  # fmt: skip
CATEGORY = (
    "genre", "genres", "category", "categories", "main_category", "topic", "topics", "subject",
    "subjects", "section", "department", "subcategory", "product_type_name", "product_group_name",
)  # fmt: skip
TAGS = ("tags", "keywords", "labels")
DESCRIPTION = (
    "description", "overview", "plot", "summary", "synopsis", "abstract", "text", "body", "about",
    "detail_desc", "product_description", "long_description", "content", "features",
)  # fmt: skip
USER_TEXT = (
    "about", "about_me", "bio", "likes", "interests", "preferences", "tastes", "text",
    "description",
)  # fmt: skip
AVAILABLE_FROM = ("available_from", "publish_at", "published_from", "valid_from")
AVAILABLE_UNTIL = ("available_until", "expires_at", "valid_until", "available_to")
HIDDEN = ("hidden", "is_hidden", "disabled", "is_disabled", "deleted", "is_deleted")

USER_STEMS = ("user", "customer", "client", "member", "visitor", "reviewer", "reader", "account")
ITEM_STEMS = (
    "item", "product", "movie", "film", "book", "article", "song", "track", "game", "news", "video",
    "course", "recipe", "show", "asin", "sku",
)  # fmt: skip

KIND_OF_TABLE = {
    "buy": ("purchase", "order", "transaction", "sale", "buy"),
    "click": ("click",),
    "view": ("view", "visit"),
    "play": ("play", "listen", "scrobble", "watch"),
}
"""Words in the name of a log without a kind column, and the kind of its events."""
KIND_LIKE = {
    "dismiss": (
        "dismiss", "dislike", "unlike", "hide", "skip", "block", "downvote", "remove", "refund",
        "cancel",
    ),
    "cart": ("cart", "basket", "wish", "favorite", "favourite", "bookmark", "save"),
    **KIND_OF_TABLE,
}  # fmt: skip
"""Beginnings of words in the name of a kind of one's own, and the kind that shows like interest."""


def plain(name: str) -> str:
    """Give a column name in lower case with underscores.

    Example:
        >>> plain("unixReviewTime"), plain("User-ID"), plain("movieID")
        ('unix_review_time', 'user_id', 'movie_id')
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")


def kind_like(name: str) -> str | None:
    """Give the known kind that shows as much interest as one of this name, if that can be told.

    Example:
        >>> kind_like("AddToCart"), kind_like("remove_from_cart"), kind_like("zap")
        ('cart', 'dismiss', None)
    """
    parts = plain(name).split("_")
    likely = (k for k, stems in KIND_LIKE.items() if any(p.startswith(stems) for p in parts))
    return next(likely, None)


def named(columns: Sequence[str], words: Sequence[str]) -> list[str]:
    """Give the columns whose name is one of `words`, in the order of the words."""
    by_name: dict[str, str] = {}
    for column in columns:
        by_name.setdefault(plain(column), column)
    return [by_name[word] for word in words if word in by_name]


def stemmed(columns: Sequence[str], stems: Sequence[str]) -> list[str]:
    """Give the columns of which a part is one of `stems`, those that end in `id` first."""
    found = [column for column in columns if set(plain(column).split("_")) & set(stems)]
    return sorted(found, key=lambda column: not plain(column).endswith("id"))
