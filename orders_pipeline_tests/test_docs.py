"""README, docs and code say the same."""

import re
import tomllib
from pathlib import Path

import pytest

from orders_pipeline.cli.main import main
from orders_pipeline.definitions import defs
from orders_pipeline.formats.options import LIMITS
from orders_pipeline.ledger.models import metadata
from orders_pipeline.schema import QUARANTINES, REASONS, TABLES, UNREADABLE_REASONS
from orders_pipeline.settings import Settings
from orders_pipeline.ui.runbook import FOR_ALL, SECTIONS
from orders_pipeline.ui.runbook import PAGE as RUNBOOK
from orders_pipeline_tests.support.recipes import TITLES, apply, copy_package, recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").glob("*.md")]
DOCUMENTS = {str(path.relative_to(ROOT)).removeprefix("docs/"): path.read_text() for path in PAGES}
README = DOCUMENTS["README.md"]
CONFIGURATION = DOCUMENTS["configuration.md"]
LANDING = DOCUMENTS["landing.md"]


def test_the_top_level_is_as_the_customer_fixed_it() -> None:
    for name in (
        "orders_pipeline", "orders_pipeline_tests", "pyproject.toml", "workspace.yaml", "dagster.yaml",
        "docker-compose.yml", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", ".ci/run",
    ):  # fmt: skip
        assert (ROOT / name).exists(), name


def test_every_setting_is_in_the_configuration_page_with_its_default() -> None:
    documented = dict(re.findall(r"^\| `(ORDERS_\w+)` \| (.+?) \|", CONFIGURATION, re.MULTILINE))
    fields = Settings.model_fields

    assert set(documented) == {f"ORDERS_{name.upper()}" for name in fields}
    for name in ("source_table", "landing_prefix", "home", "start_date", "timezone", "dagster_url"):
        assert documented[f"ORDERS_{name.upper()}"] == f"`{fields[name].default}`"
    for name in ("max_file_bytes", "max_expanded_bytes", "max_expansion_ratio", "max_rows", "max_field_chars"):
        assert documented[f"ORDERS_{name.upper()}"] == f"`{fields[name].default}`"
        assert f"| `ORDERS_{name.upper()}` | {fields[name].default} |" in LANDING
    assert documented["ORDERS_MAX_REJECT_SHARE"] == f"`{fields['max_reject_share'].default:.0%}`"
    assert (documented["ORDERS_VACUUM_AGE"], fields["vacuum_age"].default.days) == ("`7d`", 7)


def test_every_reason_is_documented_in_its_own_words() -> None:
    _, of_rows, of_files = re.split(r"^## Reasons .*$", LANDING, flags=re.MULTILINE)

    assert [dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", text, re.MULTILINE)) for text in (of_rows, of_files)] == [
        REASONS,
        QUARANTINES,
    ]


def test_every_reason_that_the_code_gives_is_a_known_one() -> None:
    code = "".join(path.read_text() for path in (ROOT / "orders_pipeline").rglob("*.py"))
    given = (
        set(re.findall(r'QuarantineError\(\s*"(\w+)"', code))
        | {code for code, _ in LIMITS.values()}
        | {"gave_up", "lost"}
    )

    assert given == set(QUARANTINES)


def test_every_command_is_in_the_readme_and_every_one_in_the_readme_exists() -> None:
    assert set(re.findall(r"orders-pipeline ([a-z-]+)", README)) == set(main.commands)


def test_getting_started_names_the_columns_of_the_result_tables() -> None:
    named = dict(re.findall(r"^\| `(analytics\.\w+)` \| (.+?) \|$", DOCUMENTS["getting-started.md"], re.MULTILINE))

    assert {table: re.findall(r"`(\w+)`", columns) for table, columns in named.items()} == {
        table.fullname: [column.name for column in table.columns]
        for table in metadata.tables.values()
        if table.schema == "analytics"
    }


def test_every_make_target_that_is_written_of_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in (*DOCUMENTS.values(), (ROOT / ".ci/run").read_text()):
        assert set(re.findall(r"`make ([a-z0-9-]+)", document)) <= targets

    assert {"setup", "demo", "dev", "test", "lint"} <= targets
    suites = {"lint", "test", "slow", "e2e", "browser", "chaos", "test-deploy"}
    assert suites <= set(re.findall(r"^make ([a-z0-9-]+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))


def test_every_asset_is_in_the_readme() -> None:
    assert set(re.findall(r"^\| `(\w+)` \| (?:none|daily) \|", README, re.MULTILINE)) == set(TABLES)


def test_every_check_is_in_the_runbook_with_its_asset_and_no_other_is_named() -> None:
    checks = sorted((key.name, key.asset_key.to_user_string()) for key in defs.resolve_asset_graph().asset_check_keys)
    rows = re.findall(r"^\| `(\w+)` \| (`.+?`) \| (?:WARN|ERROR)", DOCUMENTS["operations.md"], re.MULTILINE)

    assert sorted((name, asset) for name, assets in rows for asset in re.findall(r"`(\w+)`", assets)) == checks


def test_each_check_names_the_sections_that_the_runbook_links_to() -> None:
    runbook = DOCUMENTS["operations.md"]
    titles = {title.lower().replace(" ", "-"): title for title in re.findall(r"^## (.+)$", runbook, re.MULTILINE)}
    rows = re.findall(r"^\| `(\w+)` \| `.+?` \| (?:WARN|ERROR).*\|(.+?)\|$", runbook, re.MULTILINE)
    linked = {check: [titles[anchor] for anchor in re.findall(r"\(#(.+?)\)", to_do)] for check, to_do in rows}

    assert {check: list(sections) for check, sections in SECTIONS.items()} == {
        check: found for check, found in linked.items() if found
    }
    assert FOR_ALL in titles.values()
    assert (ROOT / RUNBOOK).exists()


def test_every_variable_and_table_that_documents_name_exists_and_the_other_way_round() -> None:
    text = "\n".join(DOCUMENTS.values())
    for_tests = {"ORDERS_PICTURES"}
    variables = {f"ORDERS_{name.upper()}" for name in Settings.model_fields}
    assert variables <= set(re.findall(r"\bORDERS_[A-Z]\w+", text)) <= variables | for_tests

    tables = {table.fullname for table in metadata.tables.values()}
    made_by_recipes = {"analytics.weekly_revenue"}
    assert set(re.findall(r"\b(?:ledger|analytics)\.[a-z]\w+", text)) <= tables | made_by_recipes
    for table in metadata.tables.values():
        assert f"`{table.name}" in text, table.fullname


def test_links_and_modules_that_documents_name_exist() -> None:
    for path in PAGES:
        text = path.read_text()
        for link in re.findall(r"\]\(([\w/.-]+)\)", text):
            assert (path.parent / link).exists(), f"{path.name}: {link}"
        for module in re.findall(r"`((?:\w+/)?\w+\.py)`", text):
            assert [
                found
                for folder in ("orders_pipeline", "orders_pipeline_tests", "bench")
                for found in (ROOT / folder).rglob(Path(module).name)
                if found.as_posix().endswith(f"/{module}")
            ], f"{path.name}: {module}"
        for test in re.findall(r"`((?:\w+/)?test_\w+)`", text):
            assert (ROOT / "orders_pipeline_tests" / f"{test}.py").exists(), f"{path.name}: {test}"


def test_the_changes_of_the_extending_page_apply_to_the_code_one_after_another(tmp_path: Path) -> None:
    copy_package(tmp_path)

    assert all(apply(recipe(title), tmp_path) for title in TITLES)


def test_the_hooks_before_a_commit_are_the_linters_of_make_lint() -> None:
    linters = re.findall(
        r"^\t\$\(BIN\)/((?:ruff )?[\w-]+)", (ROOT / "Makefile").read_text().split("\nlint:")[1], re.MULTILINE
    )
    hooks = re.findall(r"^ +entry: \.venv/bin/(.+)$", (ROOT / ".pre-commit-config.yaml").read_text(), re.MULTILINE)

    assert hooks == linters == ["ruff format", "ruff check", "mypy", "lint-imports"]


def test_kubernetes_runs_the_version_of_this_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

    assert f'tag: "{version}"' in (ROOT / "deploy/kubernetes/values.yaml").read_text()


@pytest.mark.parametrize("apart", ["", "bench", "browser", "deploy"])
def test_the_locks_name_no_registry_and_pin_everything_by_hash(apart: str) -> None:
    lock_name = f"requirements-{apart}.lock" if apart else "requirements.lock"
    lock = (ROOT / lock_name).read_text()
    pins = [line for line in lock.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    pinned = {re.split(r"[\[=]", line)[0] for line in pins}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(
            name
            for extra, names in project["optional-dependencies"].items()
            for name in names
            if extra == apart or (not apart and extra not in ("bench", "browser"))
        ),
    ]

    assert "://" not in lock
    assert {re.split(r"[\[>=<]", name)[0] for name in wanted} <= pinned
    assert all(line.endswith("\\") for line in pins)  # a hash follows


@pytest.mark.parametrize("path", [path for path in (ROOT / "orders_pipeline").rglob("*.py") if path.name != "env.py"])
def test_every_module_says_what_it_is(path: Path) -> None:
    assert path.read_text().startswith('"""')


def test_names_that_are_written_in_two_places_agree() -> None:
    assert set(UNREADABLE_REASONS) <= set(REASONS)
