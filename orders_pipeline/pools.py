"""The pools that the assets of each chain share. Unlimited, unless the instance sets limits: deploy/dagster.yaml
does, so that runs of one chain never take the places of the other's."""

from typing import Final

UNPARTITIONED_POOL: Final = "unpartitioned_chain"
PARTITIONED_POOL: Final = "partitioned_chain"
