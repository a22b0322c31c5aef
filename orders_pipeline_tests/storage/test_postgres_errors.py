"""Each mistake in a URL of Postgres is a sentence of its own, with the next step and the variable that is set."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import URL

from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.storage.postgres import engine_for, is_outage
from orders_pipeline.storage.postgres_errors import connection_problem
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.servers import tcp_postgres

HERE = 'connection to server at "db", port 5432 failed: '


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ('FATAL:  password authentication failed for user "u"\n', "refused the user 'u' with this password"),
        ('FATAL:  PAM authentication failed for user "u"\n', "refused the user 'u' with this password"),
        ("FATAL:  SASL authentication failed\n", "refused the user 'shop' with this password"),
        ("fe_sendauth: no password supplied\n", "V has none"),
        ('FATAL:  role "u" does not exist\n', "has no user 'u'"),
        ('FATAL:  role "u" is not permitted to log in\n', 'ALTER ROLE "u" LOGIN'),
        ('FATAL:  database "o" does not exist\n', "has no database 'o'"),
        ('FATAL:  permission denied for database "o"\nDETAIL:  ...\n', 'GRANT CONNECT ON DATABASE "o" TO "shop"'),
        ('FATAL:  database "o" is not currently accepting connections\n', "accepts no connections"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "o", no encryption\n', "without TLS"),
        ('FATAL:  pg_hba.conf rejects connection for host "1.2.3.4", user "u", database "o", SSL off\n', "without TLS"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "o", SSL encryption\n', "from 1.2.3.4."),
        ("FATAL:  sorry, too many clients already\n", "has no connection left"),
        ("FATAL:  the database system is starting up\n", "starting or stopping"),
        ("server does not support SSL, but SSL was required\n", "offers no TLS"),
        ("FATAL:  SSL connection is required. Please specify SSL options\n", "Add ?sslmode=require to V"),
        ("SSL error: certificate verify failed\n", "SSL error: certificate verify failed. Correct sslmode"),
        ("Connection refused\n\tIs the server running on that host?\n", "No Postgres listens at db:5432"),
        ("timeout expired\n", "cannot be reached: timeout expired"),
        ("FATAL:  quelque chose d'autre\n", "refused the connection: quelque chose d'autre. Check V"),
    ],
)
def test_each_mistake_is_a_sentence_of_its_own(message: str, told: str) -> None:
    said = connection_problem(f"{HERE}{message}", "V", "shop")

    assert told in said
    assert said.endswith((".", ";", '"shop".'))
    assert "did not answer" not in said
    assert said.count("FATAL") == said.count("\n") == 0


def test_tls_is_not_advised_where_it_was_tried() -> None:
    entry = 'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "o", '

    said = connection_problem(f"{HERE}{entry}SSL encryption\n{HERE}{entry}no encryption\n", "V", "u")

    assert "sslmode" not in said


def test_a_host_that_no_one_knows_is_named() -> None:
    said = connection_problem('could not translate host name "dbb" to address: Name or service not known\n', "V", "u")

    assert said.startswith("There is no host 'dbb'")


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    with tcp_postgres() as url:
        yield sa.make_url(url)


def test_a_real_server_is_explained_in_the_same_sentence_everywhere(
    server: URL, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mistakes = {
        "refused the user 'shop' with this password": server.set(password="hunter2"),
        "has no database 'nowhere'": server.set(database="nowhere"),
        "No Postgres listens at": server.set(port=1),
        "offers no TLS": server.update_query_dict({"sslmode": "require"}),
    }
    for told, url in mistakes.items():
        monkeypatch.setenv("ORDERS_DATABASE_URL", url.render_as_string(hide_password=False))
        with pytest.raises(sa.exc.OperationalError) as refused:
            engine_for(url.render_as_string(hide_password=False)).connect()

        assert isinstance(refused.value, OrdersPipelineError)
        assert is_outage(refused.value)  # no file is blamed for it
        assert told in str(refused.value)
        shown = call("status")
        assert (shown.exit_code, shown.output) == (2, f"Error: {refused.value}\n")
        assert "ORDERS_DATABASE_URL" in shown.output
        assert "ORDERS_SOURCE_URL" not in shown.output
        assert "hunter2" not in shown.output


def test_a_source_is_named_by_its_own_variable(server: URL) -> None:
    wrong = server.set(password="hunter2").render_as_string(hide_password=False)

    with pytest.raises(OrdersPipelineError) as refused:
        engine_for(wrong, "ORDERS_SOURCE_URL", needs_sessions=False).connect()

    assert "ORDERS_SOURCE_URL" in str(refused.value)
    assert "ORDERS_DATABASE_URL" not in str(refused.value)
