"""What every table should hold, recomputed in plain Python from bytes: it shares no line with the pipeline, so that a
mistake in one shows against the other."""

import csv
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

REQUIRED = ("order_id", "customer_id", "amount", "order_date")
NEVER = datetime(1, 1, 1, tzinfo=UTC)  # when the rows of the source table landed: before every file
IGNORED = "/skip/"  # in the keys that a declaration ignores

Rank = tuple[datetime, bytes, int]
Version = tuple[bytes, datetime, str]  # what landed, when, and its ETag


@dataclass(frozen=True)
class Order:
    """A clean or void row: what it says, and how it ranks among the versions of its order. If a void row ranks highest,
    there is no order."""

    order_id: str
    customer: str
    amount: Decimal
    time: datetime  # wall clock of the business day's time zone
    rank: Rank
    is_void: bool = False  # then it has no customer, amount and time
    has_update: bool = False  # the rank is by its own `updated_at`

    def says_the_same(self, other: "Order") -> bool:
        """Whether it has the values of another version of its order."""
        mine, theirs = ((one.is_void, one.customer, one.amount, one.time) for one in (self, other))
        return mine == theirs

    @property
    def day(self) -> date:
        return self.time.date()

    @property
    def source(self) -> str:
        return self.rank[1].decode()


@dataclass(frozen=True)
class Reject:
    """A row that cleaning leaves out."""

    source: str
    row_number: int
    reason: str


@dataclass(frozen=True)
class Declared:
    """What a source of all keys says by one of its columns: `deletes` or `drop` the rows with these values, or `keep`
    no others (nothing, if `how` is empty). And what the `lines` with one order_id are: the `last` one counts, or their
    `sum`, or a file `refuse`s them. It ignores the keys with IGNORED. `decimal`: the mark in amounts. `amount_unit`:
    `minor` for hundredths. `delimiter`: empty if the header shows it. The prefixes are put before ids."""

    how: str = ""
    column: str = ""
    values: frozenset[str] = frozenset()
    lines: str = "last"
    decimal: str = "."
    amount_unit: str = "major"
    delimiter: str = ""
    encoding: str = "utf-8"
    order_id_prefix: str = ""
    customer_id_prefix: str = ""

    @property
    def of_bytes(self) -> tuple[str, ...]:
        """What decides how the bytes of a file are read. If it changes, only these bytes can answer."""
        return self.delimiter, self.encoding, self.order_id_prefix, self.customer_id_prefix

    def plain(self, header: list[str], row: list[str]) -> list[str]:
        """A row with the amount as a plain number, or a text that is none, and with prefixes."""
        if len(row) != len(header):
            return row
        fields = dict(zip(header, row, strict=True))
        prefixes = {"order_id": self.order_id_prefix, "customer_id": self.customer_id_prefix}
        fields |= {name: prefix + fields[name] for name, prefix in prefixes.items() if not is_missing(fields[name])}
        if not is_missing(fields["amount"]):
            fields["amount"] = self._amount(fields["amount"].strip())
        return list(fields.values())

    def _amount(self, text: str) -> str:
        if self.decimal != ".":
            is_declared = re.fullmatch(rf"[+-]?[0-9]+({self.decimal}[0-9]+)?", text)
            text = text.replace(self.decimal, ".") if is_declared else "?"
        if self.amount_unit == "minor":
            is_whole = re.fullmatch(r"[+-]?[0-9]{1,18}(\.0+)?", text)
            text = f"{Decimal(text).scaleb(-2):.2f}" if is_whole else "?"
        return text

    def is_void(self, fields: Mapping[str, str]) -> bool:
        """Whether a row is void."""
        return self.how != "" and (fields[self.column].strip() in self.values) is (self.how != "keep")


@dataclass(frozen=True)
class Line:
    """A row, before it is known what the other rows of its order mean for it."""

    number: int
    order_id: str  # empty if it has none
    outcome: str
    reason: str = ""
    order: Order | None = None  # of a clean or void row
    updated_at: datetime = NEVER
    is_delete: bool = False

    @property
    def is_clean(self) -> bool:
        return self.outcome == "counts"

    def rejected(self, reason: str) -> "Line":
        return replace(self, outcome="rejected", reason=reason, order=None)

    def merged(self) -> "Line":
        return replace(self, outcome="merged", order=None)


@dataclass(frozen=True)
class Readable:
    """The rows of a version that could be read."""

    content: bytes
    ranked_at: datetime  # what orders without `updated_at` rank by
    orders: tuple[Order, ...] = ()
    rejects: tuple[Reject, ...] = ()
    declared: "Declared | None" = None  # by which it was read
    without_id: int = 0  # rows that are dropped and have no id: they have no effect
    merged: int = 0  # rows that are in the sum of another, or are dropped beside it
    blank: int = 0  # rows that are no line of an order

    @property
    def clean(self) -> list[Order]:
        return [order for order in self.orders if not order.is_void]


@dataclass(frozen=True)
class Tables:
    """All six tables, and what was superseded. Both chains must hold the same clean orders."""

    orders: dict[str, tuple[str, str, str]]  # order id: customer, amount, time
    revenue: dict[str, tuple[str, int]]  # day: revenue, orders
    spend: dict[tuple[str, str], str]  # day and customer: what was spent
    rejected: list[tuple[str, int, str]]  # source, row number, reason
    superseded: dict[tuple[str, str, str], tuple[int, str, int]]  # day, winner, loser: rows, amount, other customers


@dataclass
class Oracle:
    """What was seen so far, and which version of each key counts: the newest readable one."""

    zone: ZoneInfo
    start: date
    today: date
    active: dict[str, Readable] = field(default_factory=dict)
    seen: dict[str, Version] = field(default_factory=dict)
    counted: dict[str, list[tuple[Version, datetime]]] = field(default_factory=dict)  # all that ever did, and the rank
    declared: Declared | None = None

    def copy(self) -> "Oracle":
        """One that goes on from here by itself."""
        counted = {key: list(versions) for key, versions in self.counted.items()}
        return replace(self, active=dict(self.active), seen=dict(self.seen), counted=counted)

    def see(self, key: str, content: bytes, landed_at: datetime, etag: str = "") -> None:
        """Look at what a key holds. The bytes that count already rank as before, whenever they landed again."""
        if self.ignores(key) or not self.is_news(key, content, landed_at, etag):
            return
        self.seen[key] = content, landed_at, etag
        counts = self.active.get(key)
        ranked_at = counts.ranked_at if counts and counts.content == content else landed_at
        readable = read(key, content, ranked_at, self.zone, self._declared_for(key))
        if readable is not None:
            self.active[key] = readable
            self.counted.setdefault(key, []).append((self.seen[key], ranked_at))

    def is_news(self, key: str, content: bytes, landed_at: datetime, etag: str = "") -> bool:
        """Whether a version differs from the last one seen of its key."""
        return self.seen.get(key) != (content, landed_at, etag)

    def ignores(self, key: str) -> bool:
        """Whether the declaration leaves a key out. One that counts is read as before."""
        return self.declared is not None and IGNORED in key and key not in self.active

    def see_table(self, days: Mapping[str, bytes]) -> None:
        """Look at the source table, each of its days (by key) as a CSV file. A day that is gone counts no more."""
        for key in [key for key in self.active if is_table(key) and key not in days]:
            del self.active[key], self.seen[key]
        for key, content in days.items():
            self.see(key, content, NEVER)

    def move_to(self, zone: ZoneInfo, today: date) -> None:
        """Read again all that counts, in another time zone."""
        self.zone, self.today = zone, today
        for key, file in self.active.items():
            by_new, by_old = (
                read(key, file.content, file.ranked_at, zone, declared)
                for declared in (self._declared_for(key), file.declared)
            )
            self.active[key] = (by_new if self._has_rows_for(key) else None) or by_old or file

    def declare(self, declared: Declared | None) -> None:
        """Let a declaration hold from now on. What could not be read is news again."""
        for key in [key for key, seen in self.seen.items() if not is_table(key) and self.is_unreadable(key)]:
            if self.seen[key][0]:
                del self.seen[key]
        self.declared = declared

    def revalidate(self, originals: Mapping[str, bytes]) -> None:
        """Read again all that counts, by the declaration that holds. What it cannot read counts as before, and so does
        a file whose bytes are needed and gone. `originals`: what S3 holds."""
        for key, file in self.active.items():
            is_there = originals.get(key) == file.content
            if file.declared != self._declared_for(key) and (is_there or self._has_rows_for(key)):
                self.active[key] = read(key, file.content, file.ranked_at, self.zone, self.declared) or file

    def _has_rows_for(self, key: str) -> bool:
        """Whether the rows of a file that counts are those that the declaration that holds would split it into."""
        by, now = self.active[key].declared or Declared(), self._declared_for(key) or Declared()
        return by.of_bytes == now.of_bytes

    def is_unreadable(self, key: str) -> bool:
        """Whether the version of a key that was seen last cannot be read. One that was retracted is not asked for."""
        if key not in self.active and key in self.counted and self.counted[key][-1][0] == self.seen[key]:
            return False
        content, landed_at, _ = self.seen[key]
        return read(key, content, landed_at, self.zone, self._declared_for(key)) is None

    def keep_table_of(self, before: "Oracle", retracted: Collection[str]) -> None:
        """The days of a source table that is gone are those that were known before, but for the retracted ones."""
        for known in (self.active, self.seen):
            for key in [key for key in known if is_table(key)]:
                del known[key]  # type: ignore[attr-defined]
        self.seen |= {key: seen for key, seen in before.seen.items() if is_table(key)}
        for key, file in before.active.items():
            if is_table(key) and key not in retracted:
                self.active[key] = read(key, file.content, NEVER, self.zone) or file

    def is_as_declared(self) -> bool:
        """Whether all that counts is read by the declaration that holds."""
        return all(file.declared == self._declared_for(key) for key, file in self.active.items())

    def let_count(self, key: str, content: bytes, ranked_at: datetime) -> None:
        """Let these bytes count, if they can be read."""
        if file := read(key, content, ranked_at, self.zone, self._declared_for(key)):
            self.active[key] = file

    def _declared_for(self, key: str) -> Declared | None:
        return None if is_table(key) else self.declared

    def retract(self, key: str) -> None:
        """Let a key contribute nothing until another version of it is seen."""
        self.active.pop(key, None)

    def tables(self) -> Tables:
        """What the tables hold once nothing is pending."""
        winners = latest(order for file in self.active.values() for order in file.orders)
        placed = [order for order in winners if not order.is_void and self.is_in_range(order.day)]
        amounts: defaultdict[str, list[Decimal]] = defaultdict(list)
        spends: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for order in placed:
            amounts[str(order.day)].append(order.amount)
            spends[str(order.day), order.customer] += order.amount
        return Tables(
            orders={order.order_id: (order.customer, f"{order.amount:.2f}", str(order.time)) for order in placed},
            revenue={day: (f"{sum(found):.2f}", len(found)) for day, found in amounts.items()},
            spend={place: f"{spent:.2f}" for place, spent in spends.items()},
            rejected=sorted(
                (reject.source, reject.row_number, reject.reason)
                for file in self.active.values()
                for reject in file.rejects
            ),
            superseded=self._superseded(),
        )

    def suspected(self) -> dict[tuple[str, str], tuple[int, Decimal]]:
        """What the checks find of superseded rows, by check and by key of the winner: how many, and their amount. The
        tables must be current."""
        found: defaultdict[tuple[str, str], list[Order]] = defaultdict(list)
        for order, winner in self._lost():
            if _is_repeated(order, winner):
                # A declaration says what the rows of one order are: of one customer.
                if not self._declared_for(winner.source) or _has_other_customer(order, winner):
                    found["repeated_orders_agree", winner.source].append(order)
            elif _has_other_customer(order, winner) or (
                self._sender(order) != self._sender(winner) and not order.says_the_same(winner)
            ):
                found["no_order_replaces_another", winner.source].append(order)
        return {
            place: (len(orders), sum((order.amount for order in orders), Decimal(0))) for place, orders in found.items()
        }

    def _superseded(self) -> dict[tuple[str, str, str], tuple[int, str, int]]:
        lost: defaultdict[tuple[str, str, str], list[tuple[Order, Order]]] = defaultdict(list)
        for order, winner in self._lost():
            lost[str(order.day), winner.source, order.source].append((order, winner))
        return {
            place: (
                len(pairs),
                f"{sum(order.amount for order, _ in pairs):.2f}",
                sum(_has_other_customer(*pair) and not _is_repeated(*pair) for pair in pairs),
            )
            for place, pairs in lost.items()
        }

    def _lost(self) -> list[tuple[Order, Order]]:
        """The superseded rows of days that are in the tables, each with the version that wins."""
        winners = latest(order for file in self.active.values() for order in file.orders)
        by_id = {winner.order_id: winner for winner in winners}
        return [
            (order, by_id[order.order_id])
            for file in self.active.values()
            for order in file.clean
            if order.rank != by_id[order.order_id].rank and self.is_in_range(order.day)
        ]

    def _sender(self, order: Order) -> str:
        """A declaration is of all files. Else a folder sends them, its dates aside."""
        if is_table(order.source):
            return "the table"
        folders = [part for part in order.source.split("/")[:-1] if not re.fullmatch(r"\d{4}-\d\d-\d\d", part)]
        return "declared" if self.declared else f"folder {folders}"

    def is_in_range(self, day: date) -> bool:
        """Whether a day is in the tables at all."""
        return self.start <= day <= self.today


def latest(orders: Iterable[Order]) -> list[Order]:
    """The version of each order that decides: the greatest of (updated_at or rank of the file, key bytewise, row)."""
    winners: dict[str, Order] = {}
    for order in orders:
        if order.order_id not in winners or winners[order.order_id].rank < order.rank:
            winners[order.order_id] = order
    return list(winners.values())


def touched(before: Mapping[str, Readable], after: Mapping[str, Readable]) -> set[date]:
    """The days that must be rebuilt, and no other, when one set of versions takes the place of another.

    They are the days of the versions whose bytes changed, or the declaration by which they are read, and of all other
    rows with an order id of these."""
    changed = {key for key in before.keys() | after.keys() if _reading(before, key) != _reading(after, key)}
    rows = {(key, order) for files in (before, after) for key, file in files.items() for order in file.orders}
    ids = {order.order_id for key, order in rows if key in changed}
    return {order.day for _, order in rows if order.order_id in ids and not order.is_void}


def read(
    key: str, content: bytes, ranked_at: datetime, zone: ZoneInfo, declared: Declared | None = None
) -> Readable | None:
    """The rows of a CSV file, perhaps gzipped; None where nothing can be read, so that nothing is replaced."""
    declared = declared or Declared()
    try:
        text = _text(gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content, declared.encoding)
        headers = {mark: next(_rows(text, mark), []) for mark in declared.delimiter or ",;"}
        fitting = [mark for mark, names in headers.items() if set(REQUIRED) <= set(names)]
        if not fitting:
            return None
        rows = [(before + 1, row) for before, row in _numbered(_rows(text, fitting[0]))]
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, UnicodeError):
        return None
    header = rows[0][1]
    if declared.how and declared.column not in header:
        return None
    plain = ((number, declared.plain(header, row)) for number, row in rows[1:])
    each = [_line(key, number, header, row, ranked_at, zone, declared) for number, row in plain]
    lines = _settled(each, declared.lines)
    outcomes = Counter(line.outcome for line in lines)
    return Readable(
        content,
        ranked_at,
        tuple(line.order for line in lines if line.order),
        tuple(Reject(key, line.number, line.reason) for line in lines if line.outcome == "rejected"),
        declared if declared != Declared() else None,
        without_id=sum(line.outcome == "void" and line.order is None for line in lines),
        merged=outcomes["merged"],
        blank=outcomes["blank"],
    )


def _line(
    key: str, number: int, header: list[str], row: list[str], ranked_at: datetime, zone: ZoneInfo, declared: Declared
) -> Line:
    """A row, judged alone."""
    fields = dict(zip(header, row, strict=False))
    is_whole = len(row) == len(header) and not is_broken(row)
    is_void, is_delete = is_whole and declared.is_void(fields), declared.how == "deletes"
    order_id = fields["order_id"] if is_whole and not is_missing(fields["order_id"]) else ""
    if declared.lines == "sum" and is_whole and not is_void:
        if all(map(is_missing, row)):
            return Line(number, order_id, "blank")
        if order_id and is_missing(fields["amount"]):
            return Line(number, order_id, "rejected", "amount_missing")
    if reason := reason_against_void(fields, is_delete) if is_void else reason_against(header, row):
        return Line(number, order_id, "rejected", reason)
    if is_void and not order_id:
        return Line(number, order_id, "void")
    updated_at = fields.get("updated_at", "")
    has_update = not is_missing(updated_at)
    time = _instant(updated_at, zone) if has_update else NEVER
    rank = (time if has_update else ranked_at, key.encode(), number)
    if is_void:
        no_time = NEVER.replace(tzinfo=None)
        order = Order(order_id, "", Decimal(0), no_time, rank, is_void=True, has_update=has_update)
        return Line(number, order_id, "void", "", order, time, is_delete)
    amount, when = Decimal(fields["amount"].strip()), _wall_clock(fields["order_date"], zone)
    order = Order(order_id, fields["customer_id"], amount, when, rank, has_update=has_update)
    return Line(number, order_id, "counts", "", order, time)


def _settled(lines: list[Line], how: str) -> list[Line]:
    """Rows, with what the other rows of their orders mean for them."""
    orders: defaultdict[str, list[Line]] = defaultdict(list)
    alone = []
    for line in lines:
        if how == "last" or not line.order_id or line.outcome == "blank":
            alone.append(line)
        else:
            orders[line.order_id].append(line)
    settle = _refused if how == "refuse" else _summed
    return sorted([*alone, *(line for own in orders.values() for line in settle(own))], key=lambda line: line.number)


def _refused(own: list[Line]) -> list[Line]:
    """The rows of one order, all clean ones rejected if there are several that are not void."""
    is_repeated = sum(line.outcome != "void" for line in own) > 1
    return [line.rejected("order_id_repeated") if line.is_clean and is_repeated else line for line in own]


def _summed(own: list[Line]) -> list[Line]:
    """The rows of one order with the sum in one of them, from one delete to the next; or rejected. Those without an
    amount are blank, unless there are no others."""
    without = [line for line in own if line.reason == "amount_missing"]
    if without and len(without) < len(own):
        others = [line for line in own if line.reason != "amount_missing"]
        return [*(replace(line, outcome="blank", reason="") for line in without), *_summed(others)]
    if any(line.outcome == "rejected" for line in own):
        return [
            line if line.outcome == "rejected" or line.is_delete else line.rejected("line_rejected") for line in own
        ]
    found: list[Line] = []
    together: list[Line] = []
    for line in sorted(own, key=lambda line: (line.updated_at, line.number)):
        if line.is_delete:
            found += [*_sum(together), line]
            together = []
        else:
            together.append(line)
    return found + _sum(together)


def _sum(lines: list[Line]) -> list[Line]:
    """Lines, oldest first, that no delete separates."""
    clean = [line.order for line in lines if line.is_clean and line.order]
    if not clean:
        return lines
    if len({(order.customer, order.day) for order in clean}) > 1:
        return [line.rejected("lines_differ") for line in lines]
    total = sum((order.amount for order in clean), Decimal(0))
    if abs(total) >= 10**16:
        return [line.rejected("amount_not_decimal") for line in lines]
    return [
        replace(line, order=replace(clean[-1], amount=total)) if line.order is clean[-1] else line.merged()
        for line in lines
    ]


def reason_against_void(fields: Mapping[str, str], is_delete: bool) -> str | None:
    """Why a row that deletes or is dropped is rejected; None: it is not."""
    if is_delete and is_missing(fields["order_id"]):
        return "order_id_missing"
    updated_at = fields.get("updated_at", "")
    return None if is_missing(updated_at) or _is_time(updated_at) else "updated_at_unreadable"


def reason_against(header: list[str], row: list[str]) -> str | None:
    """Why a row is rejected; None for a clean one."""
    if len(row) != len(header):
        return "field_count"
    if is_broken(row):
        return "not_utf8"
    fields = dict(zip(header, row, strict=True))
    for name in REQUIRED:
        if is_missing(fields[name]):
            return f"{name}_missing"
    if not re.fullmatch(r"[+-]?\d{1,16}(\.\d{1,2}0*)?", fields["amount"].strip()):
        return "amount_not_decimal"
    if not _is_time(fields["order_date"]):
        return "order_date_unreadable"
    updated_at = fields.get("updated_at", "")
    return None if is_missing(updated_at) or _is_time(updated_at) else "updated_at_unreadable"


def is_table(key: str) -> bool:
    """Whether a key is a day of the source table."""
    return key.startswith("table:")


def is_broken(row: Iterable[str]) -> bool:
    """Whether a row has bytes that are no text in the encoding of its file."""
    return re.search("[\udc80-\udcff]", "".join(row)) is not None


def is_missing(text: str) -> bool:
    """Whether a text says that there is no value."""
    return text.strip().upper() in ("", "NULL", "N/A", r"\N")


def _text(content: bytes, encoding: str) -> str:
    """Bytes as text. What is no text in it marks its row.

    Raises:
        UnicodeError: it is UTF-8, and another encoding is declared."""
    found = re.findall(rb"[\x80-\xff]+", content)
    if encoding != "utf-8" and found:
        in_utf8 = sum(len(run.decode(errors="ignore").encode()) for run in found)
        if in_utf8 > 0.9 * sum(map(len, found)):
            raise UnicodeError(f"This is UTF-8, not {encoding}.")
    return content.decode(encoding, errors="surrogateescape")


def _rows(text: str, delimiter: str) -> Any:
    return csv.reader(StringIO(text, newline=""), strict=True, delimiter=delimiter)


def _numbered(reader: Any) -> Iterable[tuple[int, list[str]]]:
    before = 0
    for row in reader:
        if "".join(row).strip():
            yield before, row
        before = reader.line_num


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text.strip())
    except ValueError:
        return False
    return True


def _wall_clock(text: str, zone: ZoneInfo) -> datetime:
    time = datetime.fromisoformat(text.strip())
    return time if time.tzinfo is None else time.astimezone(zone).replace(tzinfo=None)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    time = datetime.fromisoformat(text.strip())
    return (time.replace(tzinfo=zone) if time.tzinfo is None else time).astimezone(UTC)


def _reading(files: Mapping[str, Readable], key: str) -> tuple[bytes, Declared | None] | None:
    return (files[key].content, files[key].declared) if key in files else None


def _has_other_customer(order: Order, winner: Order) -> bool:
    return not winner.is_void and order.customer != winner.customer


def _is_repeated(order: Order, winner: Order) -> bool:
    """Whether a file has both, or the source table, and nothing says why their amounts differ."""
    is_in_one = order.source == winner.source or (is_table(order.source) and is_table(winner.source))
    is_told = order.has_update or winner.has_update or winner.is_void
    return is_in_one and not is_told and order.amount != winner.amount
