"""The recipes of docs/sources.md: each file, read by the declaration beside it, gives the totals that stand below."""

import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()
_, RECIPES = re.split(r"^## Recipes$", PAGE, flags=re.MULTILINE)


@dataclass(frozen=True)
class Recipe:
    """A file (or SQL that makes a table), the declaration, and what counts: revenue and orders by day."""

    key: str | None
    content: bytes
    toml: str
    expected: dict[str, tuple[str, int]]

    @classmethod
    def of(cls, text: str) -> "Recipe":
        kind, written = re.findall(r"^```(.+?)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[0]
        _, key, encoding = [*kind.split(), None, None][:3]
        (toml,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        days = re.findall(r"^\| (\d{4}-\d\d-\d\d) \| ([\d.]+) \| (\d+) \|$", text, re.MULTILINE)
        return cls(key, written.encode(encoding or "utf-8"), toml, {day: (money, int(n)) for day, money, n in days})


def test_each_recipe_gives_the_totals_that_it_shows(pipeline: Pipeline, tmp_path: Path) -> None:
    recipes = {
        title: Recipe.of(text) for title, text in re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", RECIPES, re.M | re.S)
    }
    assert len(recipes) == 10
    assert all(recipe.expected for recipe in recipes.values())
    for recipe in recipes.values():
        if recipe.key is None:
            pipeline.execute(recipe.content.decode())
        else:
            pipeline.land(recipe.key.removeprefix("landing/"), recipe.content)
    declaration = tmp_path / "sources.toml"
    declaration.write_text("\n".join(recipe.toml for recipe in recipes.values()))
    call("sources", "apply", str(declaration))

    assert pipeline.sync().is_complete

    assert pipeline.status().quarantined == []
    orders = pipeline.lake_frame("cleaned_orders").with_columns(day=pl.col("order_date").dt.date().cast(pl.String))
    found = {
        title: {
            day: (str(rows["amount"].sum()), rows.height)
            for (day,), rows in sorted(orders.filter(_is_of(recipe)).group_by("day"))
        }
        for title, recipe in recipes.items()
    }
    assert found == {title: recipe.expected for title, recipe in recipes.items()}
    assert [reason for *_, reason, _ in pipeline.rejected()] == ["field_count"]


def _is_of(recipe: Recipe) -> pl.Expr:
    return pl.col("_source") == recipe.key if recipe.key else pl.col("_source").str.starts_with("table:")
