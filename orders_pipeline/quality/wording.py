"""How findings name what a sender sent."""

from collections.abc import Sequence

from orders_pipeline.schema import TABLE_PREFIX
from orders_pipeline.text import counted, examples


def where(keys: Sequence[str]) -> str:
    """In which files of a sender, or on which days if it is the source table. There is at least one."""
    if keys[0].startswith(TABLE_PREFIX):
        days = examples(key.removeprefix(TABLE_PREFIX) for key in keys)
        return f"on {counted(len(keys), 'day')}: {days}"
    return f"in {counted(len(keys), 'file')}: {examples(keys)}"
