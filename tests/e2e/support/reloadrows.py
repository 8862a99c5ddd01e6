# SPDX-License-Identifier: MIT
"""The rows of test_92_reload_rows.py, and the server that they are shown on."""

import contextlib

from .reloadable import Reloadable
from .ws import Chat, fresh

ROWS = {}


def row(path, value=None, **before):
    """A generator that shows that `path` becomes `value`."""
    def keep(show):
        assert path not in ROWS
        ROWS[path] = show, value, before
        return show
    return keep


class House(Reloadable):
    """One server for row after row, as nothing of them needs a restart."""

    def furnish(self, settings):
        """As at the start, but for these settings, and with a second model."""
        self.open = contextlib.ExitStack()
        self.values = self.defaults()
        self.values["llm"]["providers"].append(
            self.provider("fake-b", api_key="sk-second-0123456789", model="fake-b"))
        self.with_(**settings)

    def join(self, user=None, **query):
        return self.open.enter_context(Chat(self.server, user or fresh(), **query))

    def replace(self, path, value):
        """Nested groups and members of a list's first entry by their path."""
        head, *_, leaf = path.split(".")
        if "[" in path:
            name = path.split("[")[0].split(".")[1]
            self.values["llm"][name][0][leaf] = value
            self.with_()
        else:
            self.with_(**{head: {leaf: value}})


def code(turn):
    return turn.finish or turn.error["code"]


def asked(house, text=None):
    """What the model is sent when somebody asks."""
    text = text or fresh("q")
    house.join().turn(text)
    return house.fake.asked(text)[-1]


def scripted(house, *answers):
    text = fresh("q")
    house.fake.when(text, *answers)
    return text
