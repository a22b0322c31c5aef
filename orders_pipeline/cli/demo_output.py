"""What `orders-pipeline demo` shows at its end."""

from decimal import Decimal

from rich.table import Table

from orders_pipeline.cli import output
from orders_pipeline.cli.demo import Played
from orders_pipeline.cli.status import read_status
from orders_pipeline.cli.terminal import console, escape
from orders_pipeline.definitions import postgres, s3
from orders_pipeline.settings import read_settings
from orders_pipeline.text import list_days


def show(played: Played) -> None:
    """What a demo did, and what the tables hold now."""
    if played.was_there:
        if played.changed:
            console.print(f"[yellow]Changed rows in[/yellow] {', '.join(played.changed)}")
        else:
            console.print("[green]The same orders landed again: no row of any table changed.[/green]")
    else:
        rebuilt = played.acts[-1].rebuilt
        console.print("\n[bold]What act two rebuilt[/bold]: the days that it changed, and no others")
        for table, days in rebuilt.items():
            console.print(f"  {table:26} {len(days):3} days  {list_days(days)}")
    _show_weeks()
    _show_tables()
    checks = {name: text for act in played.acts for name, text in act.failed_checks.items()}
    if checks:
        console.print("\n[bold]Checks that found something[/bold]")
    for name, text in checks.items():
        console.print(f"  [yellow]{name}[/yellow] {escape(text)}")
    for act in played.acts:
        for step, error in act.errors.items():
            console.print(f"  [red]failed[/red] {step}: {escape(error)}")
    console.print("\nNext: `make dev` shows all this in the Dagster UI; `orders-pipeline --help` lists the commands.")


def _show_weeks() -> None:
    weeks = postgres.read_query(
        "SELECT date_trunc('week', order_date)::date AS week, sum(revenue) AS revenue, sum(order_count)::int AS orders"
        " FROM analytics.daily_revenue GROUP BY 1 ORDER BY 1"
    ).to_dict("records")
    table = Table("week from", "orders", "revenue", "", title="Revenue by week", title_justify="left", box=None)
    most = max((week["revenue"] for week in weeks), default=Decimal(1))
    for week in weeks:
        bar = "█" * int(week["revenue"] / most * 30)
        table.add_row(str(week["week"]), f"{week['orders']:,}", f"{week['revenue']:,.2f}", bar)
    for column in table.columns[1:3]:
        column.justify = "right"
    console.print()
    console.print(table)


def _show_tables() -> None:
    with postgres.ledger().connect() as connection:
        found = read_status(connection, s3, read_settings())
    console.print()
    output.status(found)
