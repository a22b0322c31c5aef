"""A finding is opened once, keeps its age, and ends only when it is settled or accepted."""

from collections.abc import Collection
from decimal import Decimal
from threading import Barrier, Thread

import pytest

from orders_pipeline.definitions import postgres
from orders_pipeline.errors import OrdersPipelineError
from orders_pipeline.ledger import findings
from orders_pipeline.ledger.findings import Examination, Finding, Recorded
from orders_pipeline_tests.support.driver import Pipeline

KIND = "a_check"
A, B = Finding("a", "1", "a is wrong", Decimal("1.50")), Finding("b", "1", "b is wrong")
A_CHANGED = Finding("a", "2", "a is more wrong", Decimal("2.50"))


@pytest.fixture(autouse=True)
def _database(pipeline: Pipeline) -> None:
    """A ledger of the test's own."""


def begin(kind: str = KIND) -> Examination:
    return findings.examine(postgres.ledger(), kind)


def record(*found: Finding, examined: Collection[str] | None = None, by: Examination | None = None) -> None:
    examination = by or begin()
    with postgres.ledger().begin() as transaction:
        findings.record(transaction, examination, found, examined=examined)


def accept(*ids: int, by: str = "ann") -> None:
    with postgres.ledger().begin() as transaction:
        findings.accept(transaction, ids, by)


def opened() -> list[Recorded]:
    with postgres.ledger().connect() as connection:
        return findings.open_findings(connection)


def subjects() -> list[str]:
    return [one.subject for one in opened()]


def test_a_finding_that_is_known_keeps_its_number_and_age_and_says_what_is_so_now() -> None:
    record(A)
    (first,) = opened()
    record(A_CHANGED)
    (again,) = opened()

    assert (again.id, again.since) == (first.id, first.since)
    assert (again.message, again.amount) == ("a is more wrong", Decimal("2.50"))


def test_what_was_examined_and_not_found_is_settled_and_nothing_else() -> None:
    record(A, B)
    record(Finding("a", "1", "another kind"), by=begin("another_check"))

    record(examined=["a", "c"])

    assert [(one.kind, one.subject) for one in opened()] == [(KIND, "b"), ("another_check", "a")]


def test_if_everything_was_examined_whatever_was_not_found_is_settled() -> None:
    record(A, B)
    record(B)

    assert subjects() == ["b"]


def test_what_comes_back_is_a_new_finding_that_nobody_has_accepted() -> None:
    record(A)
    (first,) = opened()
    accept(first.id)
    record()
    record(A)
    (back,) = opened()

    assert back.id > first.id
    assert back.since > first.since


def test_an_accepted_finding_is_open_again_when_its_fingerprint_changes_and_only_then() -> None:
    record(A)
    (first,) = opened()
    accept(first.id)
    record(Finding("a", A.fingerprint, "said otherwise", Decimal(9)))
    assert opened() == []

    record(A_CHANGED)
    (again,) = opened()
    assert (again.id, again.since, again.accepted_by) == (first.id, first.since, None)


def test_an_accepted_finding_still_stands_and_is_examined_again() -> None:
    record(A, B)
    accept(*(one.id for one in opened() if one.subject == "a"))

    with postgres.ledger().connect() as connection:
        standing = findings.standing(connection, KIND)
        accepted = [one.accepted_by for one in findings.unsettled(connection)]
    assert ([one.subject for one in standing.open], standing.accepted, accepted) == (["b"], 1, ["ann", None])
    assert begin().subjects == {"a", "b"}


def test_of_several_the_first_that_is_unknown_or_settled_is_named_and_none_is_accepted() -> None:
    record(A, B)
    a, b = (one.id for one in opened())
    with pytest.raises(OrdersPipelineError, match=r"^There is no finding 99, so nothing was accepted\."):
        accept(a, 99)
    record(B)
    with pytest.raises(OrdersPipelineError, match=rf"^Finding {a} was settled on 20..-..-.., so nothing"):
        accept(a, b)

    assert subjects() == ["b"]


def test_to_accept_again_changes_nothing() -> None:
    record(A)
    (one,) = opened()
    accept(one.id)
    accept(one.id, by="bob")

    with postgres.ledger().connect() as connection:
        assert [one.accepted_by for one in findings.unsettled(connection)] == ["ann"]


def test_an_examination_that_began_earlier_neither_settles_nor_changes_what_a_later_one_found() -> None:
    record(A)
    earlier = begin()
    record(A_CHANGED)
    record(by=earlier)
    record(A, B, by=earlier)

    assert [(one.subject, one.message) for one in opened()] == [("a", "a is more wrong"), ("b", "b is wrong")]


def test_days_are_told_from_files() -> None:
    record(Finding("2026-03-04", "1", "a day"), Finding("bucket/2026-03-05", "1", "a file"))

    assert [str(day) for day in begin().days] == ["2026-03-04"]


def test_many_that_record_and_accept_at_once_neither_fail_nor_write_one_twice() -> None:
    many, errors, together = [Finding(f"{number:03}", "1", "wrong") for number in range(200)], [], Barrier(6)

    def work(number: int) -> None:
        try:
            together.wait()
            for _time in range(5):
                record(*(many if number % 2 else many[::-1]))
                accept(*(one.id for one in opened()[number::6]))
        except Exception as error:
            errors.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    with postgres.ledger().connect() as connection:
        assert sorted(one.subject for one in findings.unsettled(connection)) == [one.subject for one in many]
