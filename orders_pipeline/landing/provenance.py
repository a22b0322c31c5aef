"""The origin of a raw object, stored in the object itself, so that `recover` can complete the ledger from the lake."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orders_pipeline.ledger.versions import FileVersion
from orders_pipeline.schema import CODE_VERSIONS
from orders_pipeline.sources.declaration import Source

_KEY: Final = "orders"  # of the Parquet file's metadata


@dataclass(frozen=True)
class Origin:
    """A version, the code version, time zone and source by which its rows were validated, the hash of its bytes (see
    `RawObject`), and its rank."""

    version: FileVersion
    rules: int
    zone: str
    source: Source
    content_hash: str | None
    ranked_at: datetime

    @classmethod
    def of(
        cls, version: FileVersion, zone: str, source: Source, content_hash: str | None, ranked_at: datetime
    ) -> "Origin":
        """The origin of an object that the present rules make for this time zone."""
        return cls(version, CODE_VERSIONS["raw_orders"], zone, source, content_hash, ranked_at)

    def is_current_for(self, zone: str) -> bool:
        """Whether the rows were validated by the present rules, for this time zone."""
        return (self.rules, self.zone) == (CODE_VERSIONS["raw_orders"], zone)

    def as_metadata(self) -> dict[str, str]:
        """The metadata to write into the object."""
        version = self.version
        fields = {"bucket": version.bucket, "key": version.key, "etag": version.etag, "size": version.size}
        times = {"last_modified": version.last_modified.isoformat(), "ranked_at": self.ranked_at.isoformat()}
        read = {"rules": self.rules, "zone": self.zone, "content_hash": self.content_hash}
        return {_KEY: json.dumps({**fields, **times, **read, "source": self.source.reading})}


def origin_of(metadata: Mapping[str, str]) -> Origin | None:
    """The origin in the metadata of an object; None: there is none that can be read. Objects of release 0.2 have
    neither hash nor rank in theirs."""
    try:
        stored = json.loads(metadata[_KEY])
        landed = datetime.fromisoformat(stored["last_modified"])
        version = FileVersion(stored["bucket"], stored["key"], stored["etag"], stored["size"], landed)
        source = Source.of_reading(stored.get("source", {}))  # before there were sources, all were plain
        ranked_at = datetime.fromisoformat(stored.get("ranked_at", stored["last_modified"]))
        return Origin(version, stored["rules"], stored["zone"], source, stored.get("content_hash"), ranked_at)
    except (KeyError, TypeError, ValueError):
        return None
