"""Error contexts: valgrind shows each once and from then on only counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from pytest_valgrind.findings import Finding, Kind

#: What makes two errors one context: the words and the stacks.
Key = tuple[str, ...]


class Contexts:
    """Knows how often each context has occurred, and the test in which valgrind showed it.

    :param ask: has valgrind list all its contexts with their counts (``v.info all_errors``).
        Empty where this valgrind cannot say: 3.19 does only if started with ``-s`` or ``-v``.
    """

    def __init__(self, ask: Callable[[], list[Finding]]) -> None:
        self._ask = ask
        self._counts: dict[Key, int] = {}
        self._shown_in: dict[Key, str] = {}

    def catch_up(self) -> None:
        """Take what has happened so far as known."""
        for context in self._ask():
            self._counts[_key(context)] = context.count

    def occurred(self, moved: int, shown: Iterable[Finding], where: str) -> list[Finding]:
        """Return the errors by which the counter moved.

        :param moved: by how many errors.
        :param shown: those that valgrind printed meanwhile.
        :param where: the test that was running.
        """
        shown = list(shown)
        for error in shown:
            key = _key(error)
            self._counts[key] = self._counts.get(key, 0) + 1
            self._shown_in.setdefault(key, where)
        hidden = moved - len(shown)
        if hidden <= 0:
            return shown
        repeated, seen_before = self._repeated()
        found = [replace(error, count=1 + repeated.pop(_key(error), 0)) for error in shown]
        for key, count in repeated.items():
            context = seen_before[key]
            found.append(replace(context, count=count, shown_in=self._shown_in.get(key, "")))
        hidden -= sum(error.count for error in found) - len(shown)
        if hidden > 0:
            found.append(self._unshown(hidden))
        return found

    def _repeated(self) -> tuple[dict[Key, int], dict[Key, Finding]]:
        totals: dict[Key, int] = {}
        contexts: dict[Key, Finding] = {}
        for context in self._ask():
            key = _key(context)
            totals[key] = totals.get(key, 0) + context.count
            contexts[key] = context
        grew = {
            key: total - self._counts.get(key, 0)
            for key, total in totals.items()
            if total > self._counts.get(key, 0)
        }
        self._counts.update(totals)
        return grew, contexts

    def _unshown(self, count: int) -> Finding:
        message = "Valgrind counted an error that it has shown before and does not show twice."
        if self._shown_in:
            shown = sorted({where for where in self._shown_in.values() if where})
            message += f" Errors were shown in {', '.join(shown) or 'no test'}."
        message += " To see each on its own test, give valgrind the option -s."
        return Finding(kind=Kind.UNSHOWN, message=message, count=count)


def _key(error: Finding) -> Key:
    frames = [str(frame) for frame in error.stack]
    for further in error.further:
        frames.extend(str(frame) for frame in further.stack)
    return (error.message, *frames)
