# SPDX-License-Identifier: MIT
"""A conversation over HTTP, whole: page by page from its end."""


def transcript(client, path, limit=200):
    """The messages, oldest first. `client` borrowed, `path` a session's of any role."""
    messages, older = [], {}
    while True:
        page = client.get(path, params={"limit": limit, **older}).json()
        messages = page["messages"] + messages
        if "next_before_seq" not in page:
            return messages
        older = {"before_seq": page["next_before_seq"]}
