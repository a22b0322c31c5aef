"""A wrong setting is one sentence that names it, without its secrets."""

import pytest

from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ORDERS_START_DATE", "someday", "ORDERS_START_DATE"),
        ("ORDERS_TIMEZONE", "Mars/Base", "ORDERS_TIMEZONE"),
        ("ORDERS_VACUUM_AGE", "soon", "ORDERS_VACUUM_AGE"),
        ("ORDERS_DATABASE_URL", "mysql://u:hunter2@host/db", "needs Postgres"),
        ("ORDERS_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/db", "No Postgres listens at 127.0.0.1:1"),
        ("ORDERS_DATABASE_URL", "hunter2", "is not a URL"),
        ("ORDERS_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1/db?foo=bar", "foo"),
        ("ORDERS_S3_ENDPOINT_URL", "127.0.0.1:1", "ORDERS_S3_ENDPOINT_URL"),
        ("ORDERS_S3_ENDPOINT_URL", "http://127.0.0.1:1", "No S3 server answers at http://127.0.0.1:1. Start it"),
        ("ORDERS_S3_BUCKET", "no-such-bucket", "There is no bucket 'no-such-bucket'."),
    ],
)
def test_a_wrong_environment_is_named_in_a_sentence_without_its_secrets(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(variable, value)
    command = "vacuum" if variable == "ORDERS_VACUUM_AGE" else "status"

    result = call(command)

    assert result.exit_code == 2, result.output
    assert result.output.startswith("Error: ")
    assert told in result.output
    assert "hunter2" not in result.output
    assert "Traceback" not in result.output


def test_a_lake_under_the_landing_prefix_is_refused(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_S3_BUCKET", "shop")
    for lake in ("s3://shop/landing/lake", "s3://shop/landing", "s3://shop", "s3://shop/"):
        monkeypatch.setenv("ORDERS_LAKE_URI", lake)

        result = call("vacuum")

        assert result.exit_code == 2
        assert "ORDERS_LAKE_URI" in result.output
