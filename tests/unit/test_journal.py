"""The journal of a process, and the history that one reads out of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_valgrind.findings.crash import Crash
from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind
from pytest_valgrind.findings.results import Judged, Results
from pytest_valgrind.findings.stack import Frame, Owner
from pytest_valgrind.findings.verdict import Outcome, Verdict
from pytest_valgrind.items.item_numbers import Location
from pytest_valgrind.markers import KnownMark
from pytest_valgrind.recovery import journal, journal_end
from pytest_valgrind.recovery.history import ProcessHistory, not_checked
from pytest_valgrind.recovery.journal import Journal
from pytest_valgrind.recovery.journal_end import Finished
from pytest_valgrind.recovery.records import (
    Began,
    Collected,
    Collecting,
    Ended,
    Ran,
    Record,
    Settled,
)
from pytest_valgrind.settings import Settings

CRASH = Crash(-11, "died of SIGSEGV", (Finding(Kind.INVALID_WRITE, "Invalid write"),), "", "log")
PASS = ("call", 0.1, 1.0, 1.1)


def location(nodeid: str) -> Location:
    """Return where a test is."""
    return "test_a.py", 1, nodeid


def began(place: int) -> Began:
    """Return that a test begins."""
    nodeid = f"test_a.py::test_{place}"
    return Began(place, nodeid, location(nodeid))


def three_tests() -> Collected:
    """Return that there are three."""
    tests = [began(place) for place in range(3)]
    return Collected(tuple((test.nodeid, test.location) for test in tests))


def dead_in(place: int) -> ProcessHistory:
    """Return what is left of a process that died in a test."""
    before = [record for n in range(place) for record in (began(n), Ran(n, (PASS,)))]
    return ProcessHistory([Collecting("test_a.py"), three_tests(), *before, began(place), CRASH])


def test_a_report_keeps_what_others_have_added() -> None:
    """The memory of its test, for example, which JSON can hold."""
    config = SimpleNamespace(hook=SimpleNamespace())
    config.hook.pytest_report_to_serializable = lambda report, **_: report._to_json()
    config.hook.pytest_report_from_serializable = lambda data, **_: pytest.TestReport._from_json(
        data
    )
    where = location("test_0")
    plain, measured = (
        pytest.TestReport("test_0", where, {}, "passed", None, "call", duration=0.1)
        for _ in range(2)
    )
    vars(measured)["memory_of_test"] = {"rss_end": 1}
    packed = journal.packed([plain, measured], config)  # type: ignore[arg-type]
    assert packed[0] == ("call", 0.1, 0, 0)
    _, back = journal.unpacked(packed, "test_0", where, config)  # type: ignore[arg-type]
    assert vars(back)["memory_of_test"] == {"rss_end": 1}


def test_records_come_back(tmp_path: Path) -> None:
    """They come in order, and with all that findings hold."""
    path = tmp_path / "journal"
    written: list[Record] = [three_tests(), began(0), Ran(0, (PASS,)), Finished(), CRASH]
    opened = Journal(path)
    for record in written:
        opened.write(record)
    assert list(journal.records(journal_end.read(path))) == written


ENDED = Ended(Results(), (), "")


@pytest.mark.parametrize(
    ("session", "is_good"),
    [
        ([three_tests(), began(0), ENDED], True),
        ([three_tests(), began(0)], False),
        ([three_tests(), ENDED, three_tests()], False),
        ([], False),
    ],
)
def test_end_that_is_seen_without_reading_the_rest(
    tmp_path: Path, session: list[Record], is_good: bool
) -> None:
    """A good one has a session that ended, and none that began after it."""
    path = tmp_path / "journal"
    opened = Journal(path)
    for record in session:
        opened.write(record)
    assert not journal_end.ends_well(journal_end.read(path))
    opened.finish()
    assert journal_end.ends_well(journal_end.read(path)) is is_good


def test_record_that_is_not_complete(tmp_path: Path) -> None:
    """Those before it can be read, as the process may have died while it wrote."""
    path = tmp_path / "journal"
    opened = Journal(path)
    opened.write(began(0))
    opened.write(three_tests())
    assert list(journal.records(journal_end.read(path)[:-3])) == [began(0)]


def test_journal_that_nobody_reads() -> None:
    """It costs nothing, as nothing is written."""
    opened = Journal(None)
    opened.write(began(0))
    assert not opened.is_read


def test_full_disk() -> None:
    """It does not disturb the tests."""
    opened = Journal(Path("/dev/full"))
    opened.write(began(0))
    assert opened.is_read


def test_no_journal(tmp_path: Path) -> None:
    """The process did not come so far."""
    assert journal_end.read(tmp_path / "none") == b""
    assert (
        ProcessHistory(journal.records(b"")).where == "It happened before any test was collected."
    )


def test_test_that_was_running() -> None:
    """It is the one without reports."""
    history = dead_in(1)
    assert history.running == began(1)
    assert history.where == "It happened in test_a.py::test_1."


def test_tests_that_did_not_begin() -> None:
    """They are those after it."""
    assert dead_in(1).not_run == ["test_a.py::test_2"]


def test_tests_that_were_not_checked() -> None:
    """They are those before it whose group was not settled."""
    assert dead_in(2).unchecked == ["test_a.py::test_0", "test_a.py::test_1"]


def test_line_of_the_tests_that_were_not_checked() -> None:
    """It names those of all processes that died."""
    assert list(not_checked([dead_in(1), dead_in(0), dead_in(2)])) == [
        "3 tests not checked for leaks: test_a.py::test_0, test_a.py::test_0, test_a.py::test_1"
    ]


def test_no_line_where_all_were_checked() -> None:
    """There is nothing to tell."""
    assert not list(not_checked([dead_in(0)]))


def test_test_that_is_there_twice() -> None:
    """It is named once for each time that it did not run."""
    tests = (("a", location("a")), ("a", location("a")))
    assert ProcessHistory([Collected(tests), Began(0, "a", location("a"))]).not_run == ["a"]


@pytest.mark.parametrize(
    ("records", "where"),
    [
        ([Collecting("test_a.py")], "while test_a.py was collected"),
        ([Collecting("test_a.py"), three_tests()], "before the first test"),
        ([three_tests(), began(0), Ran(0, ())], "after test_a.py::test_0, and before the next"),
        ([began(0), Ran(0, ()), Ended(Results(), (), "")], "after the last test"),
    ],
)
def test_when_it_was(records: list[Record], where: str) -> None:
    """The sentence tells how far the process came."""
    assert where in ProcessHistory([*records, CRASH]).where


def test_findings_of_settled_tests() -> None:
    """They are not lost with the process."""
    news = Results()
    news.judged.append(Judged("a", Verdict(Outcome.FAILED, "[VALGRIND LEAK]"), []))
    history = ProcessHistory([began(0), Ran(0, (PASS,)), Settled((0,), {}, news), began(1), CRASH])
    assert [judged.nodeid for judged in history.results.judged] == ["a", "test_a.py::test_1"]
    assert history.unsettled == []


def test_results_at_the_end_replace_the_parts() -> None:
    """They contain the parts."""
    news, whole = Results(), Results()
    judged = Judged("a", Verdict(Outcome.FAILED, "[VALGRIND LEAK]"), [])
    news.judged.append(judged)
    whole.judged.append(judged)
    history = ProcessHistory([Settled((0,), {}, news), Ended(whole, ("hint",), "log")])
    assert history.results.judged == [judged]
    assert history.hints == ("hint",)


def first_session() -> list[Record]:
    """Return what a process leaves that has run one session, in which one test leaked."""
    whole = Results()
    whole.tests = 3
    whole.judged.append(Judged("a", Verdict(Outcome.FAILED, "[VALGRIND LEAK]"), []))
    ran = [record for n in range(3) for record in (began(n), Ran(n, (PASS,)))]
    # The end is written twice, before and after what ends with the session.
    ended = Ended(whole, ("first hint",), "")
    return [Collecting("test_a.py"), three_tests(), *ran, ended, ended]


SECOND = (("test_a.py::test_0", location("b")), ("test_b.py::test_1", location("b")))


@pytest.mark.parametrize(
    ("records", "where", "not_run"),
    [
        ([], "after the last test, when the process came to its end", []),
        ([Collecting("test_b.py")], "while test_b.py was collected", []),
        ([Collected(SECOND)], "before the first test", [name for name, _ in SECOND]),
        (
            [Collected(SECOND), Began(3, *SECOND[0])],
            "in test_a.py::test_0",
            ["test_b.py::test_1"],
        ),
    ],
)
def test_crash_after_another_session(records: list[Record], where: str, not_run: list[str]) -> None:
    """Several may run in one process: what the first has found is not lost."""
    history = ProcessHistory([*first_session(), *records, CRASH])
    assert where in history.where
    assert history.not_run == not_run
    assert history.results.judged[0].nodeid == "a"
    assert len(history.results.judged) == 2
    assert history.results.tests == 3


def test_two_sessions_that_ended() -> None:
    """Both have results."""
    second = Results()
    second.tests = 1
    end = Ended(second, ("second hint",), "log")
    history = ProcessHistory(
        [*first_session(), Collected(SECOND), Began(3, *SECOND[0]), Ran(3, ()), end]
    )
    assert history.has_ended
    assert history.results.tests == 4
    assert history.hints == ("first hint", "second hint")
    assert history.count == 5


def test_note_on_reports_that_were_not_checked(
    pytestconfig: pytest.Config, settings: Settings
) -> None:
    """Each has its outcome, and says that its leaks are not known."""
    (report,) = dead_in(1).reports_of(0, pytestconfig, settings)
    assert report.passed
    assert report.when == "call"
    assert "Not checked for leaks" in report.sections[0][1]


ERROR = Finding(Kind.INVALID_READ, "Invalid read of size 1")


def with_error(*marks: KnownMark) -> ProcessHistory:
    """Return what is left of a process that died after a test in which there was an error."""
    return ProcessHistory([began(0), Ran(0, (PASS,), (ERROR,), marks), began(1), CRASH])


def test_error_of_a_test_that_was_not_judged(
    pytestconfig: pytest.Config, settings: Settings
) -> None:
    """The parent judges it."""
    history = with_error()
    history.judge(settings)
    (report,) = history.reports_of(0, pytestconfig, settings)
    assert report.failed
    assert "[VALGRIND ERROR]" in str(report.longrepr)
    assert "test_a.py::test_0" in [judged.nodeid for judged in history.results.judged]


def test_noise_of_a_test_that_was_not_judged(settings: Settings) -> None:
    """It fails nothing, and is listed."""
    frames = tuple(Frame(1, "f", owner=owner) for owner in (Owner.INTERPRETER, Owner.LIBC))
    noise = Finding(Kind.UNINITIALISED, "Use of uninitialised value", frames)
    history = ProcessHistory([began(0), Ran(0, (PASS,), (noise,)), began(1), CRASH])
    history.judge(settings)
    assert history.results.noise == [noise]
    assert [judged.nodeid for judged in history.results.judged] == ["test_a.py::test_1"]


def test_known_error_of_a_test_that_was_not_judged(
    pytestconfig: pytest.Config, settings: Settings
) -> None:
    """Its marker counts."""
    history = with_error(KnownMark("valgrind_known_error", "issue 7"))
    history.judge(settings)
    (report,) = history.reports_of(0, pytestconfig, settings)
    assert report.skipped
    assert "issue 7" in report.wasxfail


def test_reports_that_say_more(pytestconfig: pytest.Config) -> None:
    """They come back as they were."""
    before = pytest.TestReport("a", location("a"), {}, "failed", "reason", "call")
    before.sections.append(("Captured stdout call", "words"))
    packed = journal.packed([before], pytestconfig)
    (after,) = journal.unpacked(packed, "a", location("a"), pytestconfig)
    assert (after.outcome, after.longrepr, after.sections) == ("failed", "reason", before.sections)


class Odd:
    """What a test may put into a property."""

    def __str__(self) -> str:
        """Fail, as it is the test's own code."""
        raise RuntimeError


def test_properties_that_nobody_else_can_read(pytestconfig: pytest.Config) -> None:
    """They come back as JUnit XML would have them; the parent cannot import the tests' classes."""
    before = pytest.TestReport("a", location("a"), {}, "failed", None, "call")
    circle: list[object] = [Outcome.FAILED]
    circle.append(circle)
    before.user_properties += [("outcome", Outcome.FAILED), ("odd", Odd()), ("size", 3)]
    before.user_properties.append(("circle", circle))
    packed = journal.packed([before], pytestconfig)
    (after,) = journal.unpacked(packed, "a", location("a"), pytestconfig)
    values = dict(after.user_properties)
    assert str(values.pop("circle")).startswith("['Outcome.FAILED', ['Outcome.FAILED'")
    assert values == {"outcome": "Outcome.FAILED", "odd": "<Odd>", "size": 3}
