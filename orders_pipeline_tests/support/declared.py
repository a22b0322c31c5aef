"""Files of a source that declares how it writes them: what is read, or why they are refused."""

from pathlib import Path
from typing import Any

import pytest

from orders_pipeline.errors import QuarantineError
from orders_pipeline.formats.detect import read_rows
from orders_pipeline.formats.options import Reading
from orders_pipeline.schema import REQUIRED_COLUMNS
from orders_pipeline.sources.declaration import Source

HEADER = ",".join(REQUIRED_COLUMNS)
ROW = "007,ann,1.50,2026-03-04"
ONE_ROW = [ROW.split(",")]


def read(tmp_path: Path, content: str | bytes, **declared: Any) -> list[dict[str, Any]]:
    """The rows of a file whose source declares these fields."""
    file = tmp_path / "file"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    reading = Reading().of_source(Source(name="acme", **declared))
    return [row for batch in read_rows(file, reading) for row in batch.to_dicts()]


def refusal(tmp_path: Path, content: str | bytes, **declared: Any) -> str:
    """The message with which such a file is quarantined."""
    with pytest.raises(QuarantineError) as caught:
        read(tmp_path, content, **declared)
    return str(caught.value)
