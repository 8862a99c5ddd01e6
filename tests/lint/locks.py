#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where threads meet: locks and letters, each in a closed list of places."""

import re

import tap
from csource import bare

# Taking a lock or waiting on one; making one is no site but no less special.
TAKES = re.compile(r"\b(?:pthread_(?:mutex|rwlock|spin)_(?!un)\w*lock|"
                   r"uv_(?:mutex|rwlock)_(?!\w*un)\w*lock|mtx_(?!un)\w*lock|"
                   r"(?:uv_)?sem_\w*wait|uv_barrier_wait|flockfile)\s*\(")
PARTS = re.compile(r"\b(?:(?:pthread|uv)_(?:mutex|cond|rwlock|spin|sem|barrier)"
                   r"|mtx|cnd|sem)_\w+\s*\(")
LOCK_FILES = {
    "src/loop/mailbox.c": "the one way from thread to thread",
    "src/store/store_worker.c": "the queue of blocking jobs",
}
TAKES_LIMIT = 7  # sites in all; it only ever goes down

LETTER = re.compile(r"\b(?:mailbox_post|shard_post)\s*\(")
# Who sends letters; docs/threads.md describes each.
LETTER_FILES = {
    "src/app/boot_shards.c": "steps of start, reload and stop",
    "src/app/boot_standby.c": "steps of the shard that stands by",
    "src/app/boot_reload.c": "a reload for the audit",
    "src/gate/census.c": "counting connections, from shard to shard",
    "src/gate/watch.c": "a watching connection has ended",
    "src/chat/chat.c": "new settings: providers and limits",
    "src/gate/gate.c": "new policy: origins and limits",
    "src/gate/keys.c": "the question for newer keys, and news of them",
    "src/loop/mailbox.c": "defines mailbox_post",
    "src/loop/shard.c": "defines shard_post",
    "src/net/conn_move.c": "handover of a connection",
    "src/store/store_worker.c": "answer to a job",
}

ATOMIC = re.compile(r"\batomic_(?:fetch|exchange|compare|store|load)\w*\s*\(")
# Words that threads share without a letter, each with its reason.
ATOMIC_FILES = {
    "src/app/boot.c": "shards that have started",
    "src/app/boot_shards.c": "shards that have started",
    "src/app/boot_standby.c": "whether its connections have ended",
    "src/app/boot_state.c": "counters that the main thread waits for",
    "src/app/boot_stop.c": "draining and closing; what was cut",
    "src/base/log.c": "level and format",
    "src/base/metrics.c": "each thread its own row; the scraper adds up",
    "src/gate/admin.c": "WebSockets of the process, to show their number",
    "src/gate/census.c": "the letter that a shard is owed",
    "src/chat/chat.c": "references to settings all shards read",
    "src/chat/session.c": "sessions in memory of the process",
    "src/gate/gate.c": "references to a policy all shards read",
    "src/gate/health.c": "draining",
    "src/gate/keys.c": "references to a key set; shards that have one",
    "src/gate/socket.c": "WebSockets of the process",
    "src/gate/upgrade.c": "WebSockets of the process; closing",
    "src/guard/limit_shared.c": "limits by address: the one shared table",
    "src/loop/work.c": "what a shard is owed by a thread that may block",
    "src/net/call.c": "connections that wait for their next call; whether to end",
    "src/upload/s3.c": "whether the server is being stopped",
    "src/net/tls.c": "the newest certificate",
    "src/chat/budget_account.c": "what a role has used: its budget is the process's",
    "src/provider/breaker.c": "whether a provider is asked: down is down for all",
    "src/store/store.c": "whether the storage works, for readiness",
    "src/store/store_mongo_call.c": "whether the database is away, and who looks",
    "src/store/store_mongo_old.c": "whether documents of the older form were met",
    "src/store/store_mongo_lease.c": "whether another process took the database",
    "src/store/store_worker.c": "whether the storage works",
}


def sites(root, pattern):
    """(file, line) of every match in code; declarations do not count."""
    for path in tap.sources(root, ".c"):
        code = bare(path.read_text())
        for match in pattern.finditer(code):
            yield (path.relative_to(root).as_posix(),
                   code.count("\n", 0, match.start()) + 1)


def outside(pattern, places):
    """Req 4.3, 13.3, 14.5: sites outside their closed list of files."""
    return lambda root: [f"{name}:{line}"
                         for name, line in sites(root, pattern)
                         if name not in places]


def takes_limit(root):
    count = len(list(sites(root, TAKES)))
    return [f"{count} sites take a lock, over {TAKES_LIMIT}"] \
        if count > TAKES_LIMIT else []


def needless(root):
    """Rows of the tables that nothing needs any more."""
    found = []
    for title, pattern, table in (("lock", PARTS, LOCK_FILES),
                                  ("letter", LETTER, LETTER_FILES),
                                  ("atomic", ATOMIC, ATOMIC_FILES)):
        used = {name for name, _ in sites(root, pattern)}
        found += [f"{name} is listed for {title} and has none"
                  for name in table if name not in used]
    return found


LOCK = "pthread_mutex_lock(&x);\n"
RULES = [
    tap.Rule("locks are in the mailbox and the store's queue only",
             outside(PARTS, LOCK_FILES), bad=[
                 {"src/chat/turn.c": f"{call}(&x);\n"} for call in (
                     "pthread_mutex_lock", "pthread_mutex_trylock",
                     "pthread_rwlock_rdlock", "pthread_spin_lock",
                     "pthread_cond_wait", "uv_mutex_lock", "mtx_lock",
                     "sem_wait", "uv_sem_wait", "pthread_mutex_init")],
             good=[{"src/loop/mailbox.c": LOCK, "src/chat/turn.c":
                    "/* pthread_mutex_lock(&x) */ lock(&x);\n"}]),
    tap.Rule(f"a lock is taken in at most {TAKES_LIMIT} places", takes_limit,
             bad=[{"src/loop/mailbox.c": LOCK * (TAKES_LIMIT + 1)}],
             good=[{"src/loop/mailbox.c": LOCK * TAKES_LIMIT
                    + "pthread_mutex_unlock(&x);\n"}]),
    tap.Rule("letters are sent from the listed files only",
             outside(LETTER, LETTER_FILES),
             bad=[{"src/chat/turn.c": "shard_post(s, l);\n"},
                  {"src/chat/turn.c": "mailbox_post(&s->m, l);\n"}],
             good=[{"src/net/conn_move.c": "shard_post(s, l);\n"}]),
    tap.Rule("atomics are in the listed files only",
             outside(ATOMIC, ATOMIC_FILES),
             bad=[{"src/chat/turn.c": "atomic_fetch_add(&n, 1);\n"}]),
]

if __name__ == "__main__":
    RULES.append(tap.Rule("every listed place is still one", needless, []))
    tap.main(RULES, [f"{name}:{line} takes a lock"
                     for name, line in sites(tap.ROOT, TAKES)])
