"""The origin of a raw object, stored in the object itself, so that `recover` can complete the ledger from the lake."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.sources.declaration import PLAIN, Source

_KEY: Final = "orders"  # of the Parquet file's metadata


@dataclass(frozen=True)
class Origin:
    """A version, and the code version, time zone and source by which its rows were validated."""

    version: FileVersion
    rules: int
    zone: str
    source: Source = PLAIN

    def is_current_for(self, zone: str) -> bool:
        """Whether the rows were validated by the present rules, for this time zone."""
        return (self.rules, self.zone) == (CODE_VERSIONS["raw_orders"], zone)

    def as_metadata(self) -> dict[str, str]:
        """The metadata to write into the object."""
        version = self.version
        fields = {"bucket": version.bucket, "key": version.key, "etag": version.etag, "size": version.size}
        landed = version.last_modified.isoformat()
        validated = {"rules": self.rules, "zone": self.zone, "source": self.source.reading}
        return {_KEY: json.dumps({**fields, "last_modified": landed, **validated})}


def origin_of(metadata: Mapping[str, str]) -> Origin | None:
    """The origin in the metadata of an object; None: there is none that can be read."""
    try:
        stored = json.loads(metadata[_KEY])
        landed = datetime.fromisoformat(stored["last_modified"])
        version = FileVersion(stored["bucket"], stored["key"], stored["etag"], stored["size"], landed)
        source = Source.of_reading(stored.get("source", {}))  # before there were sources, all were plain
        return Origin(version, stored["rules"], stored["zone"], source)
    except (KeyError, TypeError, ValueError):
        return None
