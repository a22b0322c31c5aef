"""The settings: environment variables with the prefix `ORDERS_`. Each has a default, so you need to set none.

They are read at first use, never at import.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, PositiveInt, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orders_pipeline import s3_settings
from orders_pipeline.alert_selection import Alerts
from orders_pipeline.errors import SettingsError
from orders_pipeline.formats.options import Reading, parse_aliases
from orders_pipeline.schema import LONGEST_ID
from orders_pipeline.sources.field_types import share

EMBEDDED_BUCKET: Final = "orders"  # the landing zone where no bucket is configured


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone name like 'UTC' or 'Europe/London'") from error
    return name


def _age(value: object) -> object:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    if not isinstance(value, str):
        return value
    if not (match := re.fullmatch(r"(\d+)([smhd])", value.strip())):
        raise ValueError(f"{value!r} is not an age like '7d', '12h' or '30m'")
    return timedelta(**{units[match[2]]: int(match[1])})


def _date(value: object) -> object:
    """Only the form that is shown: pydantic would take a number for seconds since 1970."""
    if not isinstance(value, str):
        return value
    with suppress(ValueError):
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value.strip()):
            return date.fromisoformat(value.strip())
    raise ValueError(f"{value!r} is not a date like '2026-01-31'")


def _address(value: str) -> str:
    if not re.match(r"https?://[^/\s]", value):
        raise ValueError(f"{value!r} is not an address like 'https://dagster.example.com'")
    return value


def _webhook(value: SecretStr) -> SecretStr:
    if not re.match(r"https?://[^/\s]", value.get_secret_value()):
        raise ValueError("it does not begin with https:// and a host")  # no value: it is a secret
    return value


def _alerts(value: object) -> object:
    return Alerts.parse(value) if isinstance(value, str) else value


def _aliases(value: object) -> object:
    return parse_aliases(value) if isinstance(value, str) else value


_READING: Final = Reading()
_PREFIX: Final = "ORDERS_"
_FORMS: Final = {
    int: "a whole number like '{}'",
    Decimal: "a share like '5%' or '0.05'",
    timedelta: "an age like '7d', '12h' or '30m'",
}
_BOUNDS: Final = {"gt": "it must be more than", "ge": "it must be at least", "le": "it must be at most"}
_TYPOS: Final = 2  # letters by which a misspelt name may differ from the right one


class Settings(BaseSettings):
    """One field for each variable: `ORDERS_START_DATE` sets `start_date`. docs/configuration.md explains each.

    Units: `max_file_bytes` and `max_expanded_bytes` are bytes, `max_field_chars` and `max_id_chars` are characters,
    `max_expansion_ratio` is a multiple of the compressed size, `max_reject_share` is a share from 0 to 1. In the
    environment, write an age as `7d`, `12h`, `30m` or `90s`, and a share as `5%` or `0.05`. An empty variable counts as
    unset, except ORDERS_LANDING_PREFIX, which must not be empty. Secrets print as asterisks.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    database_url: SecretStr | None = None
    source_url: SecretStr | None = None
    source_table: str = "orders"
    s3_endpoint_url: Annotated[str, AfterValidator(s3_settings.endpoint)] | None = None
    s3_bucket: Annotated[str, AfterValidator(s3_settings.bucket)] | None = None
    landing_prefix: Annotated[str, AfterValidator(s3_settings.landing_prefix)] = "landing/"
    lake_uri: Annotated[str, AfterValidator(s3_settings.lake)] | None = None
    home: Path = Path(".orders")
    start_date: Annotated[date, BeforeValidator(_date)] = date(2026, 1, 1)
    timezone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    alert_webhook_url: Annotated[SecretStr, AfterValidator(_webhook)] | None = None
    alerts: Annotated[Alerts, NoDecode, BeforeValidator(_alerts)] = Alerts()
    heartbeat_url: Annotated[SecretStr, AfterValidator(_webhook)] | None = None
    dagster_url: Annotated[str, AfterValidator(_address)] = "http://127.0.0.1:3000"
    vacuum_age: Annotated[timedelta, BeforeValidator(_age)] = timedelta(days=7)
    keep_runs: Annotated[timedelta, BeforeValidator(_age), Field(ge=timedelta(days=1))] = timedelta(days=90)
    max_file_bytes: PositiveInt = _READING.file_bytes
    max_expanded_bytes: PositiveInt = _READING.expanded_bytes
    max_expansion_ratio: PositiveInt = _READING.expansion_ratio
    max_rows: PositiveInt = _READING.rows
    max_cells: PositiveInt = _READING.cells
    max_field_chars: Annotated[int, Field(ge=1_000, le=100_000_000)] = _READING.field_chars
    max_id_chars: Annotated[int, Field(ge=1, le=10_000)] = LONGEST_ID
    max_reject_share: Annotated[Decimal, BeforeValidator(share), Field(ge=0, le=1)] = Decimal("0.05")
    column_aliases: Annotated[dict[str, str], NoDecode, BeforeValidator(_aliases)] = {}

    @property
    def reading(self) -> Reading:
        """The limits and column aliases for reading files."""
        return Reading(
            file_bytes=self.max_file_bytes,
            expanded_bytes=self.max_expanded_bytes,
            expansion_ratio=self.max_expansion_ratio,
            rows=self.max_rows,
            cells=self.max_cells,
            field_chars=self.max_field_chars,
            aliases=self.column_aliases,
        )

    @property
    def landing_bucket(self) -> str:
        """The bucket of the landing zone."""
        return self.s3_bucket or EMBEDDED_BUCKET

    @property
    def landing_zone(self) -> s3_settings.Place:
        """The place that is listed. Files anywhere else are never listed again."""
        return s3_settings.Place(self.landing_bucket, self.landing_prefix)

    @property
    def lake(self) -> str:
        """Where the lake is: `s3://bucket/prefix` without a final slash, or an absolute folder.

        Raises:
            SettingsError: the lake and the landing zone overlap.
        """
        lake = self.lake_uri or str(self.home / "lake")
        if not lake.startswith("s3://"):
            return str(Path(lake).absolute())
        lake = lake.rstrip("/")
        landing = f"s3://{self.landing_bucket}/{self.landing_prefix}"
        if f"{lake}/".startswith(landing) or landing.startswith(f"{lake}/"):
            raise SettingsError(
                f"ORDERS_LAKE_URI ({lake}) and the landing zone ({landing}) overlap. Choose separate places."
            )
        return lake

    def today(self) -> date:
        """The current business day, in the time zone of `timezone`."""
        return datetime.now(ZoneInfo(self.timezone)).date()


def read_settings() -> Settings:
    """The settings of the environment as it is now. Cached until a variable changes.

    Raises:
        SettingsError: a value is invalid or a name is misspelt. The message lists every such variable, and never shows
            a secret.
    """
    return _settings(frozenset(item for item in os.environ.items() if item[0].upper().startswith(_PREFIX)))


@lru_cache(maxsize=1)
def _settings(environment: frozenset[tuple[str, str]]) -> Settings:
    """The settings of an environment. Cached, because pydantic takes milliseconds to read it."""
    written = {name.upper(): value for name, value in environment}
    problems = list(_names_and_gaps(written))
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        problems += [
            f"{name}: {_told(problem, written.get(name, ''))}"
            for problem in error.errors(include_url=False)
            for name in [f"{_PREFIX}{str(problem['loc'][0]).upper()}"]
        ]
    if problems or settings is None:
        raise SettingsError(f"The environment cannot be used: {'; '.join(problems).removesuffix('.')}.")
    return settings


def _told(problem: ErrorDetails, written: str) -> str:
    """What is wrong with a value: in the words of our validators, or else what would be right. Secrets have validators
    of ours, which do not show them."""
    if problem["type"] == "value_error":
        return problem["msg"].removeprefix("Value error, ")
    default = Settings.model_fields[str(problem["loc"][0])].default
    form = next((form for kind, form in _FORMS.items() if isinstance(default, kind)), "right")
    bounds = [f": {words} {problem['ctx'][end]}" for end, words in _BOUNDS.items() if end in problem.get("ctx", {})]
    told = f"{written!r} is not {form.format(default)}{''.join(bounds)}"
    return re.sub(r"datetime\.timedelta\(days=(\d+)\)", r"\1d", told)  # as pydantic writes a bound


def _names_and_gaps(environment: Mapping[str, str]) -> Iterator[str]:
    """Problems that pydantic does not report: misspelt names, and an empty landing prefix. `environment`: by name in
    upper case."""
    if environment.get("ORDERS_LANDING_PREFIX") == "":
        yield "ORDERS_LANDING_PREFIX: it is empty. Write 'landing/', or '/' for the root of the bucket, or unset it"
    known = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields]
    for name in sorted(environment.keys() - {*known}):
        nearest = min(known, key=lambda right: _letters_apart(name, right))
        if _letters_apart(name, nearest) <= _TYPOS:
            yield f"{name}: there is no such variable (did you mean {nearest}?)"


def _letters_apart(one: str, other: str) -> int:
    """The number of letters to delete or insert to turn one name into the other."""
    blocks = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return len(one) + len(other) - 2 * sum(block.size for block in blocks)
