"""`orders-pipeline findings` and `accept`, and what `status` says of findings."""

import getpass
import json

import pytest

from orders_pipeline_tests.support.command import call
from orders_pipeline_tests.support.driver import Pipeline

NEGATIVE = "landing/ has a negative amount in 1 of 1 row, -1.50 in total"


def land_two(pipeline: Pipeline) -> None:
    """A quarantined file, and one with a negative amount."""
    pipeline.land("bad.csv", "nonsense\n")
    pipeline.land_rows("a.csv", "1,ann,-1.50,2026-03-04")
    pipeline.sync()


def test_without_a_finding_the_command_says_so(pipeline: Pipeline) -> None:
    assert call("findings").output == "No finding is open.\n"
    assert call("findings", "--all").output == "No finding.\n"
    assert json.loads(call("findings", "--json").stdout) == []
    assert "findings" not in call("status").output


def test_findings_are_listed_in_eighty_columns_and_as_json(pipeline: Pipeline) -> None:
    long_key = pipeline.land(f"{'long-' * 30}.csv", "nonsense\n")
    land_two(pipeline)

    lines = call("findings").output.splitlines()
    found = json.loads(call("findings", "--json").stdout)

    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["id", "since", "money", "kind,", "subject"]
    (sender,) = [line for line in lines if line.endswith("no_negative_amounts, landing/")]
    (negative,) = [one for one in found if one["kind"] == "no_negative_amounts"]
    assert sender.split()[:3] == [str(negative["id"]), negative["since"][:10], "-1.50"]
    assert NEGATIVE in " ".join("\n".join(lines).split())
    assert (negative["subject"], negative["amount"]) == ("landing/", "-1.50")
    assert negative["message"].startswith(NEGATIVE)
    assert {one["subject"].partition("/")[2] for one in found} == {"", long_key, "landing/bad.csv"}


def test_status_counts_them_and_the_money_at_stake_and_its_json_lists_them(pipeline: Pipeline) -> None:
    land_two(pipeline)
    pipeline.land_rows("shop/b.csv", "2,ann,-2.00,2026-03-05")
    pipeline.sync()

    assert "findings  3 open, 3.50 at stake where known: `orders-pipeline findings`" in call("status").output
    assert json.loads(call("status", "--json").stdout)["findings"] == json.loads(call("findings", "--json").stdout)
    assert call("status").exit_code == 0


def test_an_accepted_finding_is_reported_no_longer_and_shown_with_all(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ann")
    land_two(pipeline)
    negative, bad = sorted(json.loads(call("findings", "--json").stdout), key=lambda one: one["kind"], reverse=True)

    done = call("accept", str(negative["id"]))
    assert (done.exit_code, done.output) == (0, f"Accepted: {negative['id']}, {negative['message']}\n")
    assert [one["id"] for one in json.loads(call("findings", "--json").stdout)] == [bad["id"]]
    assert call("accept", str(bad["id"]), "--by", "bob").exit_code == 0

    everything = " ".join(call("findings", "--all").output.split())
    assert "Accepted by ann, 20" in everything
    assert "Accepted by bob, 20" in everything
    assert call("findings").output == "No finding is open.\n"
    assert "findings" not in call("status").output


def test_all_findings_of_a_check_are_accepted_at_once(pipeline: Pipeline) -> None:
    land_two(pipeline)

    assert call("accept", "--kind", "no_negative_amounts", "--by", "ann").exit_code == 0

    assert [one["kind"] for one in json.loads(call("findings", "--json").stdout)] == ["landed_files_are_readable"]
    again = call("accept", "--kind", "no_negative_amounts")
    assert again.exit_code == 2
    assert "No finding of no_negative_amounts is open." in again.output


@pytest.mark.parametrize("number", ["99", "9223372036854775807"])
def test_an_unknown_number_is_an_error_and_accepts_nothing(pipeline: Pipeline, number: str) -> None:
    land_two(pipeline)
    found = json.loads(call("findings", "--json").stdout)

    done = call("accept", str(found[0]["id"]), number)

    assert done.exit_code == 2
    assert f"There is no finding {number}, so nothing was accepted. `orders-pipeline findings` lists" in done.output
    assert json.loads(call("findings", "--json").stdout) == found


@pytest.mark.parametrize("wrong", [[], ["x"], ["0"], ["9223372036854775808"], ["1", "--kind", "revenue_reconciles"]])
def test_what_is_no_number_is_refused(pipeline: Pipeline, wrong: list[str]) -> None:
    done = call("accept", *wrong)

    assert done.exit_code == 2
    assert "Usage: " in done.output


def test_where_the_user_has_no_name_one_is_asked_for(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", unknown)
    land_two(pipeline)
    (found, *_) = json.loads(call("findings", "--json").stdout)

    refused = call("accept", str(found["id"]))

    assert refused.exit_code == 2
    assert "--by NAME" in refused.output
    assert call("accept", str(found["id"]), "--by", "ann").exit_code == 0


def test_nothing_that_a_terminal_obeys_is_printed(pipeline: Pipeline) -> None:
    pipeline.land("\x1b[31mred.csv", "nonsense\n")
    pipeline.sync()

    assert "\x1b" not in call("findings").output
    assert "\\x1b[31mred.csv" in call("findings").output
