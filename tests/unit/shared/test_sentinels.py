from __future__ import annotations

import pytest

from shared import errdefs
from shared.jobs.app import broker_url, make_app
from shared.sentinels import Sentinels

_URL = "redis+sentinel://store.n1:s%2Fe@one:26379,two,[::1]:7/mymaster/3"


def test_an_address_of_sentinels_is_taken_apart() -> None:
    """Places with ports, the usual one where none is said; login and database are Redis' own."""
    sentinels = Sentinels.parse(_URL)
    assert sentinels is not None
    assert sentinels.places == (("one", 26379), ("two", 26379), ("::1", 7))
    assert sentinels.master == "mymaster"
    assert sentinels.redis_url == "redis://store.n1:s%2Fe@master/3"
    assert Sentinels.parse("redis://one:6379/0") is None


@pytest.mark.parametrize(("host", "place"), [("10.0.0.1", "10.0.0.1:6379"), ("::1", "[::1]:6379")])
def test_the_master_s_address(host: str, place: str) -> None:
    """Once it is known where the master is, it has the login and the database of all."""
    sentinels = Sentinels.parse(_URL)
    assert sentinels is not None
    assert sentinels.at(host, 6379) == f"redis://store.n1:s%2Fe@{place}/3"


@pytest.mark.parametrize(
    "url", ["redis+sentinel://one:26379", "redis+sentinel:///m/0", "redis+sentinel://one:x/m/0"]
)
def test_an_address_that_lacks_something_is_refused(url: str) -> None:
    """The error names the variable."""
    with pytest.raises(errdefs.InvalidArgument, match="WHERRY_REDIS_URL"):
        Sentinels.parse(url)


def test_celery_gets_the_same_sentinels() -> None:
    """Each with the login, and the database after the bus's; the master's name is an option."""
    assert broker_url(_URL) == (
        "sentinel://store.n1:s%2Fe@one:26379/4;sentinel://store.n1:s%2Fe@two:26379/4;"
        "sentinel://store.n1:s%2Fe@[::1]:7/4"
    )
    app = make_app(redis_url=_URL, node="n1")
    assert app.conf.broker_transport_options["master_name"] == "mymaster"
