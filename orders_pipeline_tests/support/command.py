"""The command `orders-pipeline`, called in this process."""

from click.testing import CliRunner, Result

from orders_pipeline.cli.main import main


def call(*arguments: str) -> Result:
    """Call the command; its exit status and what it printed."""
    return CliRunner().invoke(main, arguments)
