"""Commands for whoever runs the deployment: migrate, recover, report-to-dagster, vacuum."""

import sys

import click

from orders_pipeline.cli.exit_status import INCOMPLETE
from orders_pipeline.text import counted


@click.command()
def vacuum() -> None:
    """Delete lake objects that the ledger has not named for ORDERS_VACUUM_AGE (7d)."""
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.ledger.vacuum import vacuum as run_vacuum
    from orders_pipeline.settings import read_settings

    done = run_vacuum(postgres.ledger(), s3.lake(), read_settings().vacuum_age)
    click.echo(
        f"{counted(done.deleted, 'object')} deleted; {done.named} are in use; {done.waiting} are unused but not old"
        f" enough to delete, {done.marked} of them newly marked."
    )


@click.command()
@click.option("--verify", is_flag=True, help="Read all objects of the lake, and treat damaged ones as missing.")
def recover(verify: bool) -> None:
    """Complete a ledger that was restored from a backup, from the objects in the lake.

    Run `orders-pipeline sync` afterwards: it loads what S3 holds, reads the source table and builds stale days. The
    exit status is 1 if something is left that no command can restore."""
    import logging

    from orders_pipeline.cli import output
    from orders_pipeline.cli.terminal import progress
    from orders_pipeline.definitions import postgres, s3
    from orders_pipeline.landing.ingest import ingesting
    from orders_pipeline.landing.recovery import recover as run_recover
    from orders_pipeline.settings import read_settings

    settings, log = read_settings(), logging.getLogger(__name__)
    with ingesting(postgres.ledger(), s3.lake(), settings.timezone, "recover", log) as ingest, progress():
        found = run_recover(ingest, s3, settings, verify=verify)
    output.recovered(found)
    sys.exit(0 if found.is_complete else INCOMPLETE)


@click.command()
def report_to_dagster() -> None:
    """Show in the Dagster UI what is built, after Dagster's own storage was lost. Nothing is built.

    Each table and each built day that Dagster has no materialization of gets one, from the ledger. Dagster stamps them
    with the time of this command, so that tables look fresh until their next deadline."""
    from orders_pipeline.cli.local import local_instance
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger.staleness import Calendar
    from orders_pipeline.settings import read_settings
    from orders_pipeline.text import counted
    from orders_pipeline.ui import history

    settings = read_settings()
    with local_instance(settings) as instance, postgres.ledger().connect() as connection:
        done = history.report(instance, history.materializations(connection, Calendar.of(settings)))
    for table, count in done.reported.items():
        click.echo(f"  {table}: {counted(count, 'materialization')} reported")
    known = counted(done.known.total(), "materialization")
    if not done.reported and not done.known:
        click.echo("The ledger has no built table: nothing to report. Run `orders-pipeline sync`.")
    else:
        click.echo(f"Dagster has all that the ledger knows; it already had {known}. Nothing was built.")


@click.command()
def migrate() -> None:
    """Bring the ledger and Dagster's own storage up to date. Run it once before you start services that share them.

    It also creates the roles orders_pipeline and orders_reader and grants their privileges, so run it as the owner."""
    from orders_pipeline.cli.local import local_instance
    from orders_pipeline.definitions import postgres
    from orders_pipeline.ledger.roles import make_roles
    from orders_pipeline.settings import read_settings

    missing = make_roles(postgres.ledger())
    with local_instance(read_settings()) as instance:
        instance.upgrade(click.echo)
        instance.reindex(click.echo)
    click.echo("The ledger and Dagster's storage are up to date.")
    if missing:
        statements = "; ".join(f"CREATE ROLE {role} NOLOGIN" for role in missing)
        click.echo(
            f"This Postgres user may not create roles, and {' and '.join(missing)} are missing. The owner does not need"
            f" them. To give others access, have a superuser run `{statements}`, then repeat this command."
        )
