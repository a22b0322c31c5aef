"""The URL of the webhook is a secret."""

import logging

import dagster as dg
import pytest

from orders_pipeline.errors import SettingsError
from orders_pipeline.settings import read_settings
from orders_pipeline_tests.support.alerts import KEY, fail
from orders_pipeline_tests.support.receiver import Receiver, closed
from orders_pipeline_tests.support.ticks import tick_alerts


@pytest.mark.parametrize("how", ["delivered", "refused", "404", "redirected", "cut off", "no HTTP", "down"])
def test_the_url_is_in_no_log_no_tick_and_no_memory(
    instance: dg.DagsterInstance,
    begun: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    how: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "urllib3.connectionpool", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    begun.status = {"refused": 500, "404": 404, "redirected": 302}.get(how, 200)
    begun.headers = {"Location": begun.url} if how == "redirected" else {}
    if how == "cut off":
        begun.headers = {"Bad header, and more of it": "\r\n x", "Content-Length": "99"}
    if how == "no HTTP":
        begun.headers = {"X": "\r\n\x00 no header"}
    if how == "down":
        monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", closed().url)
    fail(instance)

    said = [tick_alerts(instance) for _ in range(2)]
    assert (how == "down") == (begun.told == [])
    kept = str(instance.daemon_cursor_storage.get_cursor_values({KEY}))
    printed = capfd.readouterr()
    for text in (*said, kept, caplog.text, printed.out, printed.err, repr(read_settings())):
        assert "SECRET" not in text


@pytest.mark.parametrize("url", ["hooks.SECRET.com/x", "ftp://SECRET", "https://", "https:///SECRET"])
def test_a_webhook_that_is_no_url_is_refused_by_name_alone(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_ALERT_WEBHOOK_URL", url)

    with pytest.raises(SettingsError, match="ORDERS_ALERT_WEBHOOK_URL") as refused:
        read_settings()
    assert "SECRET" not in str(refused.value)
