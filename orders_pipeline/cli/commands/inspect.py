"""`orders-pipeline inspect`: try a file before it counts."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orders_pipeline.cli.exit_status import INCOMPLETE
from orders_pipeline.errors import OrdersPipelineError, SourcesError
from orders_pipeline.text import printable, shortened

if TYPE_CHECKING:
    from orders_pipeline.landing.inspection import Inspection
    from orders_pipeline.settings import Settings
    from orders_pipeline.sources.declaration import Source, Sources


@click.command()
@click.argument("file_or_key")
@click.option("--source", "name", metavar="NAME", help="Read it as the source NAME declares.")
@click.option(
    "--sources",
    "declaration",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the declaration from this file (TOML), not from the ledger.",
)
@click.option("--draft", is_flag=True, help="Print a [[source]] to start from: guesses, for you to check.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON and nothing else.")
def inspect(file_or_key: str, name: str | None, declaration: Path | None, draft: bool, as_json: bool) -> None:
    """Show what would become of a file on this machine, or of a key of the landing zone. Nothing is loaded.

    A file is read as nothing was declared, unless you name a --source or --sources; it needs neither Postgres nor S3.
    A key is read as its source declares. The exit status is 0 only if the file would be loaded."""
    from orders_pipeline.cli import inspected
    from orders_pipeline.settings import read_settings

    settings = read_settings()
    of = _of_file if Path(file_or_key).is_file() else _of_key
    found = of(file_or_key, name, declaration, settings)
    if draft:
        click.echo(_drafted(found), nl=False)
    elif as_json:
        click.echo(json.dumps(inspected.as_json(found), indent=2, default=str))
    else:
        click.echo("\n".join(inspected.table(found)))
    sys.exit(0 if found.loads or draft else INCOMPLETE)


def _drafted(found: "Inspection") -> str:
    from orders_pipeline.cli import inspected

    if (drafted := inspected.draft(found)) is None:
        raise OrdersPipelineError(
            f"Nothing in {printable(found.name)} looks like a table of orders, so there is no draft."
            f" {found.message or ''}".rstrip()
        )
    return drafted


def _of_file(file: str, name: str | None, declaration: Path | None, settings: "Settings") -> "Inspection":
    from orders_pipeline.landing.inspection import copy_of, inspect_file
    from orders_pipeline.ledger.versions import FileVersion
    from orders_pipeline.sources.declaration import UNDECLARED

    path = Path(file)
    sources = _declared(declaration) if declaration or name else UNDECLARED
    source = _named(sources, name) if name else _of_undecided(sources, file, f"{settings.landing_prefix}{path.name}")
    size, now = path.stat().st_size, datetime.now(UTC).replace(microsecond=0)
    version = FileVersion(settings.landing_bucket, file, "", size, now)
    return inspect_file(version, copy_of(path), source, settings)


def _of_key(key: str, name: str | None, declaration: Path | None, settings: "Settings") -> "Inspection":
    from orders_pipeline.definitions import s3
    from orders_pipeline.landing.inspection import inspect as inspect_version

    is_listed = settings.landing_zone.holds(s3.bucket, key)
    version = s3.current(key) if is_listed else None
    if version is None:
        place = printable(f"s3://{s3.bucket}/{s3.prefix}")
        raise OrdersPipelineError(
            f"{printable(key)!r} is neither a file on this machine nor a key under {place}. Write a key in full, as"
            " `orders-pipeline status` shows it."
        )
    sources = _declared(declaration)
    source = _named(sources, name) if name else sources.of_key(key)
    return inspect_version(version, lambda target: s3.download(version, target), sources, source, settings)


def _declared(declaration: Path | None) -> "Sources":
    """The sources of a file, or else of the ledger."""
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger import declarations
    from orders_pipeline.sources.declaration import parse

    if declaration is None:
        with postgres.ledger().connect() as connection:
            return declarations.current(connection)
    try:
        return parse(declaration.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise SourcesError(f"{declaration} is not UTF-8. Save it as UTF-8.") from error


def _named(sources: "Sources", name: str) -> "Source":
    known = {source.name: source for source in sources.declared}
    if name not in known:
        raise SourcesError(f"No source is called {name!r}. Declared are: {shortened(sorted(known)) or 'none'}.")
    return known[name]


def _of_undecided(sources: "Sources", *keys: str) -> "Source":
    """The source of a file that is on no key yet: the one that applies to one of these keys, or else the only one."""
    fitting = (source for key in keys if (source := sources.of_key(key)) is not sources.undeclared)
    of_keys = [source for source in sources.declared if source.keys is not None]
    if len(of_keys) == 1 or not of_keys:
        return next(iter(of_keys), sources.undeclared)
    if (found := next(fitting, None)) is None:
        names = shortened([source.name for source in of_keys])
        raise SourcesError(f"Nothing says which source the file is of. Say it with --source: {names}.")
    return found
