"""What the baseline says of a run: what is known, and what is gone; and its update."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pytest_valgrind.findings.baseline import Baseline, Known, write
from pytest_valgrind.findings.finding import plural
from pytest_valgrind.findings.fingerprint import Identity

#: Of those that are gone, these many are named.
_MOST = 10
_ENGINES = ("valgrind", "heapcheck")
#: A test that ended in one of these ways has shown what it can.
_COMPLETE = ("passed", "failed", "xfailed", "xpassed")
#: What can be in a baseline: limits are the user's own numbers.
_CHECKS = (*_ENGINES, "hunt", "resources")
_NEVER = ("fatal signal", "timeout", "crash", "unused marker")


class BaselineUpdate:
    """Compares a run with the baseline.

    :param document: of the run.
    :param checks: what was done in it: the engines, the hunt, the watch over resources.
    """

    def __init__(self, baseline: Baseline, document: dict[str, Any], checks: set[str]) -> None:
        self._baseline = baseline
        self._document = document
        self._checks = checks
        self.found = list(self._found())
        #: What is in the baseline, and was not found although its test ran and was checked.
        self.gone = [known for known in baseline.known if self._is_gone(known)]

    def lines(self) -> Iterator[str]:
        """Write the baseline, if it is to be updated, and return what there is to say.

        :raises OSError: if it cannot be written.
        """
        baseline = self._baseline
        if baseline.takes_all:
            kept = [known for known in baseline.known if not self._is_superseded(known)]
            new = [found for found in self.found if not _is_known(found, baseline.known)]
            write(baseline.path, [*kept, *self.found])
            yield (
                f"--memory-baseline: {plural(len({*kept, *self.found}), 'finding')} written to "
                f"{baseline.path}: {len(new):,} new, {len(self.gone):,} gone"
            )
        elif self.gone:
            number = len(self.gone)
            verb = "is" if number == 1 else "are"
            yield (
                f"--memory-baseline: {plural(number, 'finding')} of {baseline.path} {verb} gone; "
                f"--memory-baseline-update takes {'it' if number == 1 else 'them'} out:"
            )
        if not baseline.takes_all or self.gone:
            yield from (f"  gone: {_words(known)}" for known in self.gone[:_MOST])
            if (more := len(self.gone) - _MOST) > 0:
                yield f"  and {more:,} more"

    def _found(self) -> Iterator[Known]:
        for finding in self._document["findings"]:
            # What a marker makes known, and what fails nothing, need not be here.
            if finding["status"] in ("known", "listed") or finding["check"] not in _CHECKS:
                continue
            if finding["kind"] in _NEVER:
                continue
            tests = finding["tests"]
            is_certain = finding["place"] != "one of several tests"
            same = finding["identity"]
            yield Known(
                tests[0] if is_certain and tests else "",
                finding["check"],
                Identity(same["kind"], tuple(same["frames"]), tuple(same["types"])),
                finding["title"],
            )

    def _is_gone(self, known: Known) -> bool:
        return self._was_checked(known) and not self._was_found(known)

    def _is_superseded(self, known: Known) -> bool:
        return self._was_checked(known) or self._was_found(known)

    def _was_found(self, known: Known) -> bool:
        return any(known.is_like(found.test, found.identity) for found in self.found)

    def _was_checked(self, known: Known) -> bool:
        """Whether the run would have found it; of a part of the suite, the rest is not known."""
        if known.check not in self._checks:
            return False
        # What was found at the import of a module has the module's name.
        return any(
            known.test in (test["nodeid"], test["nodeid"].partition("::")[0])
            and test["outcome"] in _COMPLETE
            for test in self._document["tests"]
        )


def _is_known(found: Known, known: Iterable[Known]) -> bool:
    return any(each.is_like(found.test, found.identity) for each in known)


def _words(known: Known) -> str:
    return f"{known.test or 'one of several tests'}: {known.title}"
