"""Error contexts: valgrind shows each once and from then on only counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from pytest_valgrind.findings.finding import Finding
from pytest_valgrind.findings.kind import Kind

#: What makes two errors one context: the words and the stacks.
Key = tuple[str, ...]


class Contexts:
    """Knows how often each context has occurred, and the test in which valgrind showed it.

    :param ask: has valgrind list all its contexts with their counts (``v.info all_errors``).
        Empty where this valgrind cannot say: 3.19 does only if started with ``-s`` or ``-v``.
    :param ask_for_last: has it show the last error, repeated or not (``v.info last_error``).
    """

    def __init__(
        self, ask: Callable[[], list[Finding]], ask_for_last: Callable[[], list[Finding]]
    ) -> None:
        self._ask = ask
        self._ask_for_last = ask_for_last
        self._counts: dict[Key, int] = {}
        self._shown: dict[Key, Finding] = {}
        self._shown_in: dict[Key, str] = {}

    def catch_up(self, shown: Iterable[Finding]) -> None:
        """Take what has happened so far as known.

        :param shown: the errors that valgrind has printed.
        """
        self._shown.update({key_of(error): error for error in shown})
        for context in self._ask():
            self._counts[key_of(context)] = context.count

    def occurred(self, moved: int, shown: Iterable[Finding], where: str) -> list[Finding]:
        """Return the errors by which the counter moved.

        :param moved: by how many errors.
        :param shown: those that valgrind printed meanwhile.
        :param where: the test that was running.
        """
        found = list(shown)
        for error in found:
            key = key_of(error)
            self._counts[key] = self._counts.get(key, 0) + 1
            self._shown.setdefault(key, error)
            self._shown_in.setdefault(key, where)
        hidden = moved - len(found)
        if hidden <= 0:
            return found
        repeated = self._repeated()
        if not repeated:
            repeated = self._last_alone(hidden)
        known = {key_of(error): index for index, error in enumerate(found)}
        for error in repeated:
            hidden -= error.count
            index = known.get(key_of(error))
            if index is None:
                found.append(replace(error, shown_in=self._shown_in.get(key_of(error), "")))
            else:
                found[index] = replace(found[index], count=found[index].count + error.count)
        if hidden > 0:
            found.append(self._unshown(hidden))
        return found

    def _repeated(self) -> list[Finding]:
        """Return the contexts that grew, each with the count by which it did."""
        totals: dict[Key, int] = {}
        contexts: dict[Key, Finding] = {}
        for context in self._ask():
            key = key_of(context)
            totals[key] = totals.get(key, 0) + context.count
            contexts[key] = context
        before = self._counts
        self._counts = {**before, **totals}
        return [
            replace(contexts[key], count=total - before.get(key, 0))
            for key, total in totals.items()
            if total > before.get(key, 0)
        ]

    def _last_alone(self, hidden: int) -> list[Finding]:
        """Return the last error: if only one is hidden, that is it."""
        last = self._ask_for_last()
        for error in last:
            key = key_of(error)
            self._counts[key] = self._counts.get(key, 0) + 1
        return last[:hidden]

    def _unshown(self, count: int) -> Finding:
        if self._shown and all(error.is_interpreter_noise for error in self._shown.values()):
            # Whichever it was, it was noise.
            return replace(next(iter(self._shown.values())), count=count)
        message = "Valgrind counted an error that it has shown before and does not show twice."
        if earlier := sorted({where for where in self._shown_in.values() if where}):
            message += f" Errors were shown in {', '.join(earlier)}."
        message += " To see each on its own test, give valgrind the option -s."
        return Finding(kind=Kind.UNSHOWN, message=message, count=count)


def key_of(error: Finding) -> Key:
    """Return what makes an error one with others."""
    frames = [frame.identity for frame in error.stack]
    for further in error.further:
        frames.extend(frame.identity for frame in further.stack)
    return (error.message, *frames)
