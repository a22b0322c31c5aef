"""Which landed files hold the same orders. Computed once, when a file lands, so that builds only look it up."""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Final

import polars as pl

from orders_pipeline import repeated_ids
from orders_pipeline.landing import raw_objects
from orders_pipeline.ledger.records import ActiveFile
from orders_pipeline.storage.lake import Lake

Pair = tuple[str, str]

SMALL: Final = 500  # orders of a file; with more, hashes of their ids would take over 3 % of a first load
_IDS_AT_ONCE: Final = 5_000_000  # 60 MB of hashes


def pairs(lake: Lake, fresh: Sequence[ActiveFile], others: Sequence[ActiveFile]) -> set[Pair]:
    """The paths of the objects of each two files that hold the same order id, at least one of them fresh.

    Ids are compared by a 64-bit hash, so on rare occasions there is a pair too many."""
    files = [*fresh, *others]
    if not fresh or len(files) == 1:
        return set()
    name = pl.Enum([Path(file.raw.path).name for file in files])
    count = sum(file.raw.versions for file in fresh)
    together: set[tuple[str, ...]] = set()
    for share in repeated_ids.shares(pl.col("id"), count, _IDS_AT_ONCE):
        mine, theirs = (_ids(lake, some, name).filter(share) for some in (fresh, others))
        held = mine.collect(engine="streaming")
        known = theirs.filter(pl.col("id").is_in(held["id"].unique().implode())).collect(engine="streaming")
        together |= _holders(pl.concat([held, known]))
    paths, is_fresh = {Path(file.raw.path).name: file.raw.path for file in files}, {file.raw.path for file in fresh}
    named = ([paths[name] for name in names] for names in together)
    return {
        (one, other)
        for holders in named
        for one, other in product(holders, holders)
        if one != other and not is_fresh.isdisjoint((one, other))
    }


def id_hashes(lake: Lake, files: Iterable[ActiveFile]) -> dict[str, set[int]]:
    """Hashes of all order ids of the small files among these, by path. The ledger keeps them, so they must be the same
    in every release: those of Polars are not."""
    small = [file for file in files if file.raw.ids is not None and file.raw.versions <= SMALL]
    paths = {Path(file.raw.path).name: file.raw.path for file in small}
    ids = raw_objects.ids(lake, small).group_by("object").agg("order_id").collect(engine="streaming")
    return {paths[name]: set(map(id_hash, held)) for name, held in ids.iter_rows()}


def id_hash(order_id: str) -> int:
    """The hash of an order id: the same in every release."""
    return int.from_bytes(blake2b(order_id.encode(), digest_size=8).digest(), signed=True)


def all_pairs(fresh: Iterable[ActiveFile], others: Iterable[ActiveFile]) -> set[Pair]:
    """The pairs if each of these files overlapped with each of the others."""
    mine, theirs = {file.raw.path for file in fresh}, {file.raw.path for file in others}
    found = {*product(mine, theirs), *product(theirs, mine)}
    return {(one, other) for one, other in found if one != other}


def _ids(lake: Lake, files: Sequence[ActiveFile], name: pl.Enum) -> pl.LazyFrame:
    """Hashes of the order ids of clean and void rows, and the object of each."""
    return raw_objects.ids(lake, files).select(pl.col("order_id").hash().alias("id"), pl.col("object").cast(name))


def _holders(ids: pl.DataFrame) -> set[tuple[str, ...]]:
    """The names of the objects that hold the same id, for each id that more than one holds."""
    twice = repeated_ids.repeated(ids["id"])
    shared = ids.filter(pl.col("id").is_in(twice.implode())).unique()
    holders = shared.sort("object").group_by("id").agg(pl.col("object").cast(pl.String))
    return {tuple(names) for names in holders["object"].unique() if len(names) > 1}
