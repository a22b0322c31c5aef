"""Which Postgres answers, whatever a hosted server refuses to say."""

from collections.abc import Iterator

import pytest
from sqlalchemy.engine import Connection

from orders_pipeline.errors import ServiceUnavailableError
from orders_pipeline.ledger import identity
from orders_pipeline.ledger.identity import Identity
from orders_pipeline_tests.support.driver import Pipeline

SYSTEM, TIMELINE = "pg_control_system()", "pg_current_wal_lsn()"


@pytest.fixture
def connection(pipeline: Pipeline) -> Iterator[Connection]:
    with pipeline.connect() as connection:
        yield connection


def test_a_server_is_the_same_for_each_connection(connection: Connection, pipeline: Pipeline) -> None:
    found = identity.of(connection)

    assert found.system is not None
    assert found.timeline == "00000001"
    with pipeline.connect() as other:
        assert identity.of(other) == found
        identity.require(other, found, "daily_orders")


@pytest.mark.parametrize("refused", [[], [SYSTEM], [TIMELINE], [SYSTEM, TIMELINE]], ids=len)
def test_a_limited_role_is_told_what_it_may_know(connection: Connection, refused: list[str]) -> None:
    """The transaction goes on in any case."""
    everything = identity.of(connection)
    for function in refused:
        connection.exec_driver_sql(f"REVOKE EXECUTE ON FUNCTION {function} FROM public")
    connection.exec_driver_sql("SET LOCAL ROLE pg_read_all_settings")

    found = identity.of(connection)

    assert found == Identity(
        None if SYSTEM in refused else everything.system, None if TIMELINE in refused else everything.timeline
    )
    identity.require(connection, found, "daily_orders")
    assert connection.exec_driver_sql("SELECT current_user").scalar_one() == "pg_read_all_settings"


@pytest.mark.parametrize("was", [{"system": 1}, {"timeline": "0000000A"}, {"system": None, "timeline": None}])
def test_another_server_or_timeline_is_refused(connection: Connection, was: dict[str, object]) -> None:
    read = identity.of(connection)._replace(**was)  # type: ignore[arg-type]  # each has its type

    with pytest.raises(ServiceUnavailableError, match="failed over or was restored while daily_orders was built"):
        identity.require(connection, read, "daily_orders")
