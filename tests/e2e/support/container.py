# SPDX-License-Identifier: MIT
"""A container of a compose file, without an engine."""

import os
import shutil

from .composefile import instruction, jailed, service, user
from . import s3server
from .server import free_port
from .tokens import SECRET

OTHERS = {"s3_secret_access_key": s3server.SECRET}  # of compose.mongo.yaml
KEYS = {"jwt_secret": SECRET, "encryption_keys": "k1:" + "A" * 43 + "="}


class Container:
    """Where a container of a compose file has its data, its secrets and its port."""

    def __init__(self, image, folder, name="compose.yaml"):
        self.image, self.name = folder / "image", name
        self.image.mkdir()
        (self.image / "root").symlink_to(image / "root")
        shutil.copytree(image / "data", self.image / "data")
        os.chown(self.image / "data", int(user()), int(user()))
        self.secrets = folder / "secrets"
        self.secrets.mkdir()
        for secret, value in {**OTHERS, **KEYS}.items():
            self.write(secret, value)
        self.binds = [f"{self.secrets}:/run/secrets:ro"]
        self.port = free_port()

    def write(self, secret, value, mode=0o400):
        file = self.secrets / secret
        file.unlink(missing_ok=True)
        file.write_text(value)
        os.chown(file, int(user()), int(user()))
        file.chmod(mode)

    def settings(self, **more):
        """Its environment, on a port and with limits of the test's own."""
        own = dict(part.split("=", 1) for part in instruction("ENV").split())
        return {"JWT_SECRET": None, "SERVER_HOST": None, **own,
                **service(self.name)["environment"], "SERVER_PORT": str(self.port), **more}

    def start(self, spawn, wait=True, **more):
        """The shipped model, in its shortest manner."""
        more = {"LLM_PROVIDER_1_MODEL": "demo-brief", **more}
        return spawn(self.settings(**more), command=(), wait=wait,
                     data=str(self.image / "data"), program=jailed(self.image, self.binds))
