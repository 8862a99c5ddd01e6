# SPDX-License-Identifier: MIT
"""Debian's nginx and HAProxy before a server, with the files of deploy/: only ports,
folders and what a test says are put in for what stands there."""

import getpass
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import httpx

from .server import ROOT, base_env, reserve_port
from .tlsmodel import HERE
from .tokens import token
from .waiting import PATIENCE, wait_for

NGINX = """
user {user};
pid {folder}/nginx.pid;
error_log stderr;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/chatbox.conf;
}}
"""


def fitted(text, changes):
    """The text with each key, which must be there, replaced by its value."""
    for old, new in changes.items():
        assert old in text, f"{old} does not stand there any more"
        text = text.replace(old, new)
    return text


class Front:
    """One proxy with its own two ports. `changes`: more that is put in for a test."""

    scheme, prefix = "https", "/chatbox"

    def __init__(self, server, authority, changes=None):
        self.folder = Path(tempfile.mkdtemp(prefix="chatbox-front-"))
        self.kept = [reserve_port() for _ in range(2)]
        self.plain, self.port = (one.getsockname()[1] for one in self.kept)
        self.pair = authority.pair(HERE)
        text = (ROOT / "deploy" / self.source).read_text()
        text = fitted(text, {**self.places(server.port), **(changes or {})})
        (self.folder / self.source.name).write_text(text)
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen(self.command(), env=base_env(), cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=subprocess.STDOUT)
        wait_for(self._ready, 10, "the proxy listens")

    def _ready(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def url(self, path, scheme="https"):
        port = self.port if scheme == "https" else self.plain
        return f"{scheme}://127.0.0.1:{port}{self.prefix}{path}"

    def client(self, bearer=None, source="127.0.0.1", **headers):
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        way = httpx.HTTPTransport(local_address=source, verify=False)
        return httpx.Client(base_url=self.url(""), headers=headers, transport=way,
                            timeout=10 * PATIENCE, trust_env=False)

    def user(self, user_id, **more):
        return self.client(token(user_id), **more)

    def close(self):
        try:
            self.process.terminate()
            self.process.wait(10 * PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.log.close()
            for one in self.kept:
                one.close()
            shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Front):
    source = Path("nginx/chatbox.conf")
    # How many requests one address may make at once: six, and never more.
    few = {"rate=50r/s": "rate=1r/m", "burst=200": "burst=5"}

    def places(self, port):
        return {"127.0.0.1:8080": f"127.0.0.1:{port}",
                "listen 80;": f"listen 127.0.0.1:{self.plain};",
                "listen [::]:80;": f"listen 127.0.0.2:{self.plain};",
                "listen 443 ": f"listen 127.0.0.1:{self.port} ",
                "listen [::]:443 ": f"listen 127.0.0.2:{self.port} ",
                "chat.example.com": "127.0.0.1",
                "/etc/ssl/chatbox/fullchain.pem": str(self.pair),
                "/etc/ssl/chatbox/privkey.pem": str(self.pair)}

    def command(self):
        (self.folder / "nginx.conf").write_text(NGINX.format(
            folder=self.folder, user=getpass.getuser()))
        return ["nginx", "-p", self.folder, "-c", self.folder / "nginx.conf",
                "-g", "daemon off;"]


class HAProxy(Front):
    source = Path("haproxy/haproxy.cfg")
    few = {"http_req_rate(10s)": "http_req_rate(1h)", "gt 700": "gt 6"}

    def places(self, port):
        mine = {} if os.getuid() == 0 else {
            f"    {line}\n": "" for line in
            ("user haproxy", "group haproxy", "chroot /var/lib/haproxy")}
        return {**mine, "127.0.0.1:8080": f"127.0.0.1:{port}",
                "maxconn 20000": "maxconn 2000",  # two descriptors each
                "bind :80\n": f"bind 127.0.0.1:{self.plain}\n",
                "bind :::80 v6only": f"bind 127.0.0.2:{self.plain}",
                "bind :443 ": f"bind 127.0.0.1:{self.port} ",
                "bind :::443 v6only ": f"bind 127.0.0.2:{self.port} ",
                "/etc/haproxy/chatbox.pem": str(self.pair)}

    def command(self):
        return ["haproxy", "-f", self.folder / self.source.name]
