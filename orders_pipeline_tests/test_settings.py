"""What is set is met, or refused in a sentence that says what to write."""

from pathlib import Path

import pytest

from orders_pipeline.definitions import s3
from orders_pipeline.errors import SettingsError
from orders_pipeline.sensors import s3_arrival_sensor
from orders_pipeline.settings import Settings, read_settings
from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline
from orders_pipeline_tests.support.ticks import tick


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        _ = read_settings().lake
    return str(refused.value)


@pytest.mark.parametrize(
    ("value", "write"),
    [
        ("/incoming/", "Write 'incoming/'"),
        ("//incoming/eu", "Write 'incoming/eu/'"),
        ("//", "Write '/'"),
        ("s3://shop/incoming/", "Write 'incoming/' here and 'shop' in ORDERS_S3_BUCKET"),
        ("S3://shop", "Write '/' here and 'shop' in ORDERS_S3_BUCKET"),
        ("s3:/shop/a/b", "Write 'a/b/' here and 'shop' in ORDERS_S3_BUCKET"),
        ("arn:aws:s3:::shop/incoming", "Write 'incoming/' here and 'shop' in ORDERS_S3_BUCKET"),
        ("https://s3.example.com/shop/incoming", "is an address"),
        ("", "Write 'landing/', or '/' for the root of the bucket"),
        ("  ", "is blank"),
        ('""', "is blank"),
        ('"incoming/"', "Write incoming/ without"),
        (" incoming/", "Write incoming/ without"),
    ],
)
def test_a_landing_prefix_that_no_key_begins_with_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, write: str
) -> None:
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", value)

    assert refusal().startswith("The environment cannot be used: ORDERS_LANDING_PREFIX: ")
    assert write in refusal()


@pytest.mark.parametrize(
    ("value", "prefix"),
    [("incoming", "incoming/"), ("a/b/", "a/b/"), ("/", ""), ("it's/", "it's/"), ("12:30/", "12:30/"), ("C:x", "C:x/")],
)
def test_a_landing_prefix_gets_its_final_slash(monkeypatch: pytest.MonkeyPatch, value: str, prefix: str) -> None:
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", value)

    assert read_settings().landing_prefix == prefix


@pytest.mark.parametrize(
    ("value", "write"),
    [
        ("gs://shop/lake", "Write 's3://bucket/lake', or the path of a folder"),
        ("abfs://shop@account/lake", "Write 's3://bucket/lake', or the path of a folder"),
        ("hdfs:/lake", "Write 's3://bucket/lake', or the path of a folder"),
        ("s3a://shop/lake", "Write 's3://shop/lake'"),
        ("s3n://shop/lake", "Write 's3://shop/lake'"),
        ("S3://shop/lake", "Write 's3://shop/lake'"),
        ("s3:/shop/lake", "Write 's3://shop/lake'"),
        ("s3:shop/lake", "Write 's3://shop/lake'"),
        ("s3:///lake", "Write 's3://lake'"),
        ("s3://", "Write 's3://my-bucket/lake'"),
        ("arn:aws:s3:::shop/lake", "Write 's3://shop/lake'"),
        ("file:///var/lake", "plain path: '/var/lake'"),
        ('"s3://shop/lake"', "Write s3://shop/lake without"),
        (" s3://shop/lake", "Write s3://shop/lake without"),
    ],
)
def test_a_lake_that_would_be_a_folder_of_an_odd_name_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str, write: str
) -> None:
    monkeypatch.setenv("ORDERS_LAKE_URI", value)

    assert refusal().startswith("The environment cannot be used: ORDERS_LAKE_URI: ")
    assert write in refusal()


@pytest.mark.parametrize("value", ["/var/lake", "lake", "./a:b", r"C:\lake", "s3://shop/lake", "s3://shop-2"])
def test_a_lake_on_s3_or_in_a_folder_is_taken(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORDERS_LAKE_URI", value)

    assert read_settings().lake == (value if value.startswith("s3://") else str(Path(value).absolute()))


@pytest.mark.parametrize(
    ("value", "write"),
    [
        ("s3://shop", "Write 'shop', without s3://."),
        ("S3://shop/", "Write 'shop', without S3://."),
        ("s3a://shop", "Write 'shop', without s3a://."),
        ("shop/", "Write 'shop', without slashes."),
        ("shop/incoming", "Write 'shop' here and 'incoming/' in ORDERS_LANDING_PREFIX"),
        ("s3://shop/incoming/eu/", "Write 'shop' here and 'incoming/eu/' in ORDERS_LANDING_PREFIX"),
        ("arn:aws:s3:::shop", "Write 'shop', without arn:aws:s3:::."),
        ("s3://", "is not a bucket name like 'my-bucket'"),
        ("/", "is not a bucket name like 'my-bucket'"),
        ("my shop", "is not a bucket name like 'my-bucket'"),
        ("shop,other", "is not a bucket name like 'my-bucket'"),
        ("'shop'", "Write shop without"),
    ],
)
def test_a_bucket_is_its_bare_name(monkeypatch: pytest.MonkeyPatch, value: str, write: str) -> None:
    monkeypatch.setenv("ORDERS_S3_BUCKET", value)

    assert "ORDERS_S3_BUCKET: " in refusal()
    assert write in refusal()


def test_an_access_point_is_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for arn in (
        "arn:aws:s3:eu-central-1:123456789012:accesspoint/orders",
        "arn:aws:s3::123456789012:accesspoint/a.mrap",
    ):
        monkeypatch.setenv("ORDERS_S3_BUCKET", arn)

        assert read_settings().s3_bucket == arn


@pytest.mark.parametrize("value", ["minio:9000", "127.0.0.1:9000", "s3://minio", "//minio:9000", "http:/minio"])
def test_an_endpoint_is_a_url(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORDERS_S3_BUCKET", "shop")
    monkeypatch.setenv("ORDERS_S3_ENDPOINT_URL", value)

    assert "ORDERS_S3_ENDPOINT_URL: it does not begin with http:// or https:// and a host." in refusal()


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("ORDERS_SOURCE_TABEL", "ORDERS_SOURCE_TABLE"),
        ("ORDERS_LANDING_PREFX", "ORDERS_LANDING_PREFIX"),
        ("ORDERS_LAKE_URL", "ORDERS_LAKE_URI"),
        ("orders_time_zone", "ORDERS_TIMEZONE"),
        ("ORDERS_COLUMN_ALIAS", "ORDERS_COLUMN_ALIASES"),
        ("ORDERS_S3_BUCKETS", "ORDERS_S3_BUCKET"),
    ],
)
def test_a_misspelt_name_is_an_error_that_names_the_right_one(
    monkeypatch: pytest.MonkeyPatch, name: str, right: str
) -> None:
    monkeypatch.setenv(name, "secret")

    assert f"{name.upper()}: there is no such variable (did you mean {right}?)" in refusal()
    assert "secret" not in refusal()


def test_names_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "OWNER_URL",
        "IMAGE",
        "HISTORIES",
        "SEED",
        "DATABASE_USER",
        "HOST",
        "START_TIME",
        "DAGSTER_HOME",
        "TAG",
    ):
        monkeypatch.setenv(f"ORDERS_{name}", "x")

    assert read_settings() == Settings()


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", "")
    monkeypatch.setenv("ORDERS_LAKE_URI", "gs://shop/lake")
    monkeypatch.setenv("ORDERS_SOURCE_TABEL", "orders")

    for name in ("ORDERS_LANDING_PREFIX", "ORDERS_LAKE_URI", "ORDERS_SOURCE_TABEL"):
        assert name in refusal()


@pytest.mark.parametrize("prefix", ["Landing/", "incoming", "landing/*", "/"])
def test_a_landing_zone_that_holds_nothing_is_named(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    if prefix != "/":
        pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert pipeline.sync().is_complete  # with the right prefix: what it took does not hide that the wrong one has none
    monkeypatch.setenv("ORDERS_LANDING_PREFIX", prefix)
    notice = f"No file has landed under s3://{s3.bucket}/{read_settings().landing_prefix} yet."

    synced = call("sync")

    assert synced.exit_code == 0
    assert notice in synced.output
    assert notice in call("status").output
    assert notice in tick(pipeline, s3_arrival_sensor).skip_message


def test_files_that_left_their_landing_zone_leave_no_notice(pipeline: Pipeline) -> None:
    pipeline.land_rows("a.csv", "1,ann,1.00,2026-03-04")
    assert pipeline.status().notices == []  # it is pending
    pipeline.sync()
    pipeline.remove("a.csv")

    assert pipeline.sync().notices == []
    assert "settled" in tick(pipeline, s3_arrival_sensor).skip_message


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("MAX_FILE_BYTES", "2GB", "'2GB' is not a whole number like '2147483648'"),
        ("MAX_ROWS", "1,000", "'1,000' is not a whole number like '100000000'"),
        ("MAX_CELLS", "yes please", "'yes please' is not a whole number like '500000000'"),
        ("MAX_CELLS", "-1", "'-1' is not a whole number like '500000000': it must be more than 0"),
        ("MAX_FIELD_CHARS", "5", "'5' is not a whole number like '1000000': it must be at least 1000"),
        ("MAX_REJECT_SHARE", "yes please", "'yes please' is not a share like '5%' or '0.05'"),
        ("MAX_REJECT_SHARE", "0,05", "'0,05' is not a share like '5%' or '0.05'"),
        ("MAX_REJECT_SHARE", "5", "is not a share like '5%' or '0.05': it must be at most 1"),
        ("MAX_REJECT_SHARE", "150%", "'150%' is not a share like '5%' or '0.05': it must be at most 1"),
        ("KEEP_RUNS", "0d", "'0d' is not an age like '7d', '12h' or '30m': it must be at least 1d"),
        ("START_DATE", "01.01.2026", "'01.01.2026' is not a date like '2026-01-31'"),
        ("START_DATE", "2026-02-30", "'2026-02-30' is not a date like '2026-01-31'"),
        ("START_DATE", "20260101", "'20260101' is not a date like '2026-01-31'"),
        ("START_DATE", "1767225600", "'1767225600' is not a date like '2026-01-31'"),
        ("TIMEZONE", "7 am", "'7 am' is not a time zone name like 'UTC' or 'Europe/London'"),
        ("VACUUM_AGE", "7 days", "'7 days' is not an age like '7d', '12h' or '30m'"),
        ("COLUMN_ALIASES", "yes please", "'yes please' is not an alias like 'orderId=order_id'"),
        ("DAGSTER_URL", "localhost:3000", "'localhost:3000' is not an address like 'https://dagster.example.com'"),
    ],
)
def test_a_value_in_another_form_shows_a_right_one(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"ORDERS_{name}", value)

    assert refusal().startswith(f"The environment cannot be used: ORDERS_{name}: ")
    assert refusal().endswith(f"{told}.")


def test_a_share_may_have_a_space_before_its_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_MAX_REJECT_SHARE", "10 %")

    assert str(read_settings().max_reject_share) == "0.1"
