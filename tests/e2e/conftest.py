# SPDX-License-Identifier: MIT
"""Fixtures of the black-box suite, the server's log on failure, the last line."""

import os
from pathlib import Path

import pytest

from support import server as server_module
from support.backend import BACKEND
from support.fakellm import FakeLLM
from support.mongoproxy import MongoProxy
from support.mongoserver import MongoServer
from support.operators import operator
from support.preload import preload_env
from support.s3server import SHELF
from support.server import BINARY, Server, provider_env
from support.tlsmodel import Authority, TlsModel
from support.waiting import past_midnight
from support.ws import Chat, RawWs, fresh


def pytest_addoption(parser):
    parser.addoption("--store", choices=["sqlite", "mongo"], default="sqlite",
                     help="what the servers store in; mongo starts a database")
    parser.addoption("--uploads", choices=["local", "s3"], default="local",
                     help="where the servers keep files; s3 starts a server")
    parser.addoption("--mongo-uri", metavar="URI",
                     help="with --store mongo: a database that runs already")
    parser.addoption("--stutter", action="store_true",
                     help="the servers' calls into the C library are slow by chance")


def pytest_collection_modifyitems(config, items):
    """Tests of the one database's own ways do not run on the other; nor do those
    that harm the database, when it is somebody's."""
    unfit = {"mongo": {"sqlite"}, "sqlite": set()}[config.getoption("--store")]
    if config.getoption("--mongo-uri"):
        unfit |= {"harms_store"}
    left = [item for item in items if any(item.get_closest_marker(m) for m in unfit)]
    if left:
        kept = set(items) - set(left)
        items[:] = [item for item in items if item in kept]
        config.hook.pytest_deselected(items=left)


@pytest.fixture(scope="session")
def fake():
    """The one fake model of this process."""
    model = FakeLLM()
    yield model
    model.close()


@pytest.fixture(scope="module")
def database():
    """A MongoDB server of this module's own, which it may stop and kill."""
    with MongoServer() as one:
        yield one


@pytest.fixture
def proxy(database):
    """Stands before it and fails on demand."""
    with MongoProxy(database.port) as one:
        yield one


@pytest.fixture(scope="module")
def spawn_module():
    """Starts servers that live as long as the module; judges all at its end."""
    with spawner() as start:
        yield start


@pytest.fixture
def spawn():
    """Starts servers that live as long as the test."""
    with spawner() as start:
        yield start


class spawner:  # noqa: N801 (a context manager with a function's name)
    def __enter__(self):
        self.servers = []

        def start(settings=None, **members):
            self.servers.append(Server(settings, **members))
            return self.servers[-1]
        return start

    def __exit__(self, *_):
        errors = []
        for one in self.servers:
            try:
                one.close()
            except AssertionError as error:
                errors.append(error)
            if one in server_module.LIVE:
                server_module.LIVE.remove(one)
        if errors:
            raise errors[0]


@pytest.fixture(scope="module")
def server(spawn_module, fake, request):
    """The module's shared server; a module changes it by a dict SETTINGS."""
    settings = getattr(request.module, "SETTINGS", {})
    if callable(settings):
        settings = settings(fake)
    return spawn_module({**provider_env(fake), **settings})


@pytest.fixture
def same_day():
    """No day and no month ends before the test does."""
    past_midnight()


@pytest.fixture
def user():
    return fresh("user")


@pytest.fixture
def question():
    """A text that no other test asks."""
    return fresh("question")


class closing:  # noqa: N801
    """A factory whose products are closed at the end of the test."""

    def __init__(self, make):
        self.make, self.made = make, []

    def __call__(self, *args, **kwargs):
        self.made.append(self.make(*args, **kwargs))
        return self.made[-1]

    def close(self):
        for one in self.made:
            try:
                one.close()
            except Exception:  # noqa: BLE001 (a closed one may not close twice)
                continue


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Whom a server trusts by SSL_CERT_FILE."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def listen():
    """Starts providers behind TLS: listen(file, versions of TLS)."""
    factory = closing(TlsModel)
    yield factory
    factory.close()


@pytest.fixture
def chat(server):
    """Connects to the module's server: chat(user, session_id=…)."""
    factory = closing(lambda *a, **k: Chat(server, *a, **k))
    yield factory
    factory.close()


@pytest.fixture
def admin(server):
    """An operator's HTTP client of the module's server."""
    return operator(server)


@pytest.fixture
def raw(server):
    factory = closing(lambda *a, **k: RawWs(server, *a, **k))
    yield factory
    factory.close()


@pytest.fixture
def connect():
    """Connects to any server: connect(server, user, …)."""
    factory = closing(Chat)
    yield factory
    factory.close()


# --- the log of every living server when a test fails

@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for one in server_module.LIVE:
            title = f"log of {' '.join(one.command)} on port {one.port}"
            report.sections.append((title, one.tail()))


# --- one plain last line: N passed, N failed

def pytest_configure(config):
    config.stash[COUNTS] = {"exit": 0}
    BACKEND.choose(config.getoption("--store"), config.getoption("--mongo-uri"))
    SHELF.choose(config.getoption("--uploads"))
    if config.getoption("--stutter"):
        os.environ.update(preload_env("stutter"), STUTTER=Path(BINARY).name)


def pytest_sessionfinish(session, exitstatus):
    BACKEND.close()
    SHELF.close()
    session.config.stash[COUNTS]["exit"] = int(exitstatus)


def pytest_unconfigure(config):
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    stats = {name: len(items) for name, items in reporter.stats.items()}
    passed = stats.get("passed", 0)
    failed = sum(stats.get(name, 0) for name in
                 ("failed", "error", "skipped", "xfailed", "xpassed"))
    if failed == 0 and config.stash[COUNTS]["exit"] != 0:
        failed = 1  # interrupted, or nothing was collected
    reporter.write_line(f"{passed} passed, {failed} failed")


COUNTS = pytest.StashKey()
