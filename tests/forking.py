"""A plugin that runs each test in a process of its own."""

from __future__ import annotations

#: As pytest-forked does, which itself does not work with every release of pytest.
FORKING = """
import os, pickle, pytest
from _pytest.runner import runtestprotocol

def pytest_addoption(parser):
    parser.addoption("--forked", action="store_true")

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    if not (item.config.option.forked or item.get_closest_marker("forked")):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        reports = runtestprotocol(item, log=False)
        os.write(writer, pickle.dumps([report._to_json() for report in reports]))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        text = file.read()
    os.waitpid(pid, 0)
    if text:
        reports = [pytest.TestReport._from_json(data) for data in pickle.loads(text)]
    else:
        reports = [pytest.TestReport(item.nodeid, item.location, {}, "failed", "died", "call")]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
"""
