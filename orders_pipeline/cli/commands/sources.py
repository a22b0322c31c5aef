"""`orders-pipeline sources`: how senders write, as declared."""

import getpass
from pathlib import Path

import click


@click.group()
def sources() -> None:
    """Declare how senders write: other columns, deletes, rows to keep, currencies, keys to ignore (docs/sources.md)."""


@sources.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--by", default=getpass.getuser, help="Who applies it, for the history. Default: your user name.")
def apply(file: Path, dry_run: bool, by: str) -> None:
    """Let the declaration in FILE (TOML) hold from now on. It replaces the one before as a whole.

    Files that were loaded or quarantined follow with the next sync or tick; only days that depend on them are
    rebuilt."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.errors import SourcesError
    from orders_pipeline.landing import declare
    from orders_pipeline.settings import read_settings

    try:
        toml = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SourcesError(f"{file} is not UTF-8. Save it as UTF-8.") from error
    settings = read_settings()
    if dry_run:
        with postgres.ledger().connect() as connection:
            output.declared(declare.preview(connection, s3, settings, toml), is_applied=False)
    else:
        output.declared(declare.apply(postgres.ledger(), s3, settings, toml, by), is_applied=True)


@sources.command()
def show() -> None:
    """Print the declaration that applies, as it was written."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger import declarations

    with postgres.ledger().connect() as connection:
        output.declaration(declarations.history(connection))


@sources.command()
def history() -> None:
    """List the declarations that were applied, the newest first."""
    from orders_pipeline.cli import output
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger import declarations

    with postgres.ledger().connect() as connection:
        output.declarations(declarations.history(connection))
