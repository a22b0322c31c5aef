"""A sender's files are called files, and the source table's days are called days."""

import pytest

from orders_pipeline.quality.wording import where


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (["landing/a.csv"], "in 1 file: landing/a.csv"),
        (["landing/a.csv", "landing/b.csv"], "in 2 files: landing/a.csv, landing/b.csv"),
        (["table:orders/2026-03-05"], "on 1 day: 2026-03-05"),
        (["table:orders/2026-03-05", "table:orders/2026-03-07"], "on 2 days: 2026-03-05, 2026-03-07"),
    ],
)
def test_what_a_sender_sent_is_called_what_it_is(keys: list[str], words: str) -> None:
    assert where(keys) == words
