"""What a raw object was made of, kept in the object itself: so the ledger can be told again from the lake."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orders_pipeline.ledger.versions import FileVersion

_KEY: Final = "orders"  # of the Parquet file's metadata


@dataclass(frozen=True)
class Origin:
    """A version, and by which rules and for which time zone its rows were judged."""

    version: FileVersion
    rules: int
    zone: str

    def as_metadata(self) -> dict[str, str]:
        """What is written into the object."""
        version = self.version
        fields = {"bucket": version.bucket, "key": version.key, "etag": version.etag, "size": version.size}
        landed = version.last_modified.isoformat()
        return {_KEY: json.dumps({**fields, "last_modified": landed, "rules": self.rules, "zone": self.zone})}


def origin_of(metadata: Mapping[str, str]) -> Origin | None:
    """What an object says of itself; None where it says nothing that can be read."""
    try:
        said = json.loads(metadata[_KEY])
        landed = datetime.fromisoformat(said["last_modified"])
        version = FileVersion(said["bucket"], said["key"], said["etag"], said["size"], landed)
        return Origin(version, said["rules"], said["zone"])
    except (KeyError, TypeError, ValueError):
        return None
