"""DATABASE_URL, as Django projects know it."""
from urllib.parse import parse_qs, unquote, urlsplit


def from_dsn(dsn):
    """Return the entry of DATABASES for postgres://… or sqlite:///path."""
    if dsn.startswith("sqlite:///"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": dsn[len("sqlite:///"):], "OPTIONS": {"timeout": 30}}
    url = urlsplit(dsn)
    if url.scheme not in ("postgres", "postgresql"):
        raise ValueError("neither postgres:// nor sqlite:///: " + url.scheme)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(url.path[1:]),
        "USER": unquote(url.username or ""),
        "PASSWORD": unquote(url.password or ""),
        "HOST": url.hostname or "",
        "PORT": str(url.port or ""),
        "OPTIONS": {key: values[-1] for key, values in parse_qs(url.query).items()},
    }
