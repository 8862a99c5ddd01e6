# SPDX-License-Identifier: MIT
"""The pure rooms of the program, called from Python: a shared library of all
of src, and mirrors of the structs that cross the border.

CHATBOX_BUILD names another build folder than build/. CHATBOX_CASES is how many
cases a property is tried on.
"""

import ctypes as c
import fcntl
import os
import pathlib
import re
import subprocess

from hypothesis import HealthCheck, settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
CASES = settings(max_examples=int(os.environ.get("CHATBOX_CASES", "1000")),
                 deadline=None, print_blob=True,
                 # How slow it is says something of the machine, not of the program.
                 suppress_health_check=[HealthCheck.too_slow])


def build_folder():
    return pathlib.Path(os.environ.get("CHATBOX_BUILD", ROOT / "build"))


def table(path, pattern):
    """What the pattern finds in the rows of a table, in their order."""
    return re.findall(pattern, (ROOT / "src" / path).read_text(), re.M)


LIMITS = {name: (kind, int(limit)) for name, kind, limit in
          table("proto/field.def", r'^FIELD\(\w+, "(\w+)", (\w+), (\d+)')}
FIELDS = list(LIMITS)
MESSAGES = table("proto/message.def", r'^MESSAGE\(\w+, "(\w+)", (\w+)')


class Str(c.Structure):
    _fields_ = [("p", c.c_void_p), ("n", c.c_size_t)]

    @property
    def bytes(self):
        return c.string_at(self.p, self.n) if self.n else b""


class Buf(c.Structure):
    _fields_ = [("p", c.c_void_p), ("n", c.c_size_t), ("cap", c.c_size_t),
                ("max", c.c_size_t), ("failed", c.c_bool)]


class Message(c.Structure):
    _fields_ = [("type", c.c_int), ("field", Str * len(FIELDS)),
                ("metadata", c.c_char_p), ("text", Buf)]


class Rules(c.Structure):
    _fields_ = [("max_content_chars", c.c_size_t), ("now_ms", c.c_int64),
                ("may_be_admin", c.c_bool), ("file_prefix", Str)]


class Fault(c.Structure):
    _fields_ = [("err", c.c_int), ("field", c.c_char * 300), ("type", c.c_int)]


class Usage(c.Structure):
    _fields_ = [("prompt", c.c_int64), ("completion", c.c_int64),
                ("total", c.c_int64), ("present", c.c_bool),
                ("estimated", c.c_bool), ("cached", c.c_int64),
                ("reasoning", c.c_int64), ("cost_nanos", c.c_int64)]


class Record(c.Structure):
    _fields_ = [("id", c.c_char * 33), ("sid", c.c_char * 33),
                ("seq", c.c_int64), ("at_ms", c.c_int64),
                ("sender", c.c_int), ("status", c.c_int),
                ("type", c.c_char_p), ("content", c.c_char_p),
                ("content_n", c.c_size_t), ("unreadable", c.c_bool),
                *[(name, c.c_char_p) for name in (
                    "client_id", "file_id", "file_url", "metadata", "model_id",
                    "finish_reason", "reply_to", "replaces", "conversation",
                    "budget_roles")],
                ("superseded", c.c_bool), ("usage", Usage),
                ("duration_ms", c.c_int64), ("ttft_ms", c.c_int64)]


class Log(c.Structure):
    _fields_ = [("records", c.POINTER(Record)), ("count", c.c_size_t),
                ("before_seq", c.c_int64), ("budget", c.c_uint64)]


class Sources(c.Structure):
    _fields_ = [("environment", c.POINTER(c.c_char_p)),
                ("file_name", c.c_char_p), ("yaml", Str),
                ("sets", c.POINTER(c.c_char_p)), ("set_count", c.c_size_t),
                ("dev", c.c_void_p), ("secret_only", c.c_bool), ("store_only", c.c_bool),
                ("listener_only", c.c_bool),
                ("read_file", c.c_void_p), ("try_mongo_uri", c.c_void_p)]


class Problem(c.Structure):
    _fields_ = [("severity", c.c_int), ("text", c.c_char_p)]


class Report(c.Structure):
    _fields_ = [("problems", c.POINTER(Problem)), ("count", c.c_size_t),
                ("errors", c.c_size_t), ("text", c.c_bool)]


class ErrorMember(c.Structure):
    _fields_ = [("err", c.c_int), ("message", c.c_char_p),
                ("retry_after_ms", c.c_int64), ("field", c.c_char_p),
                ("final", c.c_bool)]


class Attempt(c.Structure):
    _fields_ = [("ok", c.c_bool), ("write", c.c_bool), ("shared", c.c_bool),
                ("own_key", c.c_bool), ("domain", c.c_uint32),
                ("code", c.c_uint32), ("concern_code", c.c_uint32),
                ("labels", c.c_uint), ("sent", c.c_uint)]


class RetryRules(c.Structure):
    _fields_ = [("attempts", c.c_uint), ("delay_ms", c.c_uint64),
                ("max_delay_ms", c.c_uint64), ("deadline_ms", c.c_uint64)]


class Retry(c.Structure):
    _fields_ = [("rules", RetryRules), ("attempts", c.c_uint),
                ("perhaps", c.c_bool), ("so_far", c.c_int)]


class Step(c.Structure):
    _fields_ = [("outcome", c.c_int), ("again", c.c_bool),
                ("wait_ms", c.c_uint64)]


class Overlap(c.Structure):
    _fields_ = [*[(name, Buf) for name in ("shown", "white", "said", "held")],
                ("borders", c.c_void_p),
                *[(name, c.c_size_t) for name in (
                    "borders_cap", "at", "match", "taken", "seam")],
                *[(name, c.c_bool) for name in ("whole", "blank", "decided")]]


MIRRORS = (Str, Buf, Message, Rules, Fault, Record, Log, Sources, Report,
           ErrorMember, Attempt, RetryRules, Retry, Step,
           Overlap)
RESULTS = {"limit_new": c.c_void_p, "limit_check": c.c_bool,
           "limit_purge": c.c_size_t, "limit_count": c.c_size_t,
           "limit_free": None, "proto_decode": c.c_int,
           "history_choose": c.c_size_t, "estimate_tokens": c.c_uint64,
           "config_load": c.c_void_p, "config_free": None,
           "mongo_retry_after": Step, "mongo_retry_begin": None,
           "mongo_retry_pause_ms": c.c_uint64, "mongo_retry_passing": c.c_bool,
           "mongo_retry_code_name": c.c_char_p,
           "overlap_init": None, "overlap_fini": None,
           "overlap_feed": Str, "overlap_end": Str}


def built(name):
    """The file of tests/property with this name, built by one worker at a time."""
    folder = build_folder()
    with open(folder / "property.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(["ninja", "-C", folder, f"tests/property/{name}"],
                       check=True, stdout=subprocess.DEVNULL)
    return str(folder / "tests/property" / name)


def load():
    library = c.CDLL(built("libpure.so"))
    sizes = (c.c_size_t * len(MIRRORS)).in_dll(library, "pure_sizes")
    for mirror, size in zip(MIRRORS, sizes):
        assert c.sizeof(mirror) == size, f"{mirror.__name__} is out of date"
    for name, result in RESULTS.items():
        getattr(library, name).restype = result
    return library


LIB = load()


def borrowed(data):
    """A struct str of bytes that the caller keeps."""
    return Str(c.cast(c.c_char_p(data), c.c_void_p), len(data))
