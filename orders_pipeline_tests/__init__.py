"""Tests: against a real Postgres and a real S3 protocol, asserting rows, sums and states."""

import pytest

pytest.register_assert_rewrite(f"{__name__}.support")  # its assertions show their values, like those of tests
