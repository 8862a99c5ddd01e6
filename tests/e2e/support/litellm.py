# SPDX-License-Identifier: MIT
"""A LiteLLM proxy as a process of its own, in the virtual environment that
`make e2e-real` installs: models that it invents, and models that stand behind it.
"""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx

from .output import Output
from .server import ROOT, base_env, reserve_port
from .waiting import PATIENCE, wait_for

PYTHON = ROOT / ".venv-real" / "bin" / "python"
# Without the cyclic garbage collector: up to Python 3.11 it runs inside of
# allocations, and there its finalizers take a ContextVar's tree away from the call
# that changes it (gh-148891), which has ended this process.
RUN = ("import gc, sys; gc.disable(); sys.argv[0] = 'litellm'; "
       "from litellm import run_server; run_server()")
KEY = "sk-4e81c0d7a2f95b36"
BEHIND_KEY = "sk-7c25e9b1f04d8a63"  # its own, for what stands behind it


def invented(mock_response, model="openai/invented", **more):
    """A model that says this, or fails as this word says."""
    return {"model": model, "api_key": BEHIND_KEY, "mock_response": mock_response, **more}


def behind(model, base):
    """A model that a server at `base` has."""
    return {"model": model, "api_key": BEHIND_KEY, "api_base": base}


class LiteLLM:
    """Started when it is made; `models` are its names and what is behind each."""

    def __init__(self, models):
        self.folder = tempfile.mkdtemp(prefix="chatbox-litellm-")
        self.kept = reserve_port()
        self.base = f"http://127.0.0.1:{self.kept.getsockname()[1]}"
        self.endpoint = f"{self.base}/v1"
        self.process = subprocess.Popen(
            [PYTHON, "-c", RUN, "--config", self._settings(models), "--host", "127.0.0.1",
             "--port", str(self.kept.getsockname()[1])],
            env={**base_env(), "HOME": self.folder, "LITELLM_MASTER_KEY": KEY,
                 "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.output = Output(self.process.stdout)
        try:
            wait_for(self._ready, 50, "LiteLLM answers", interval=0.05)
        except BaseException:
            self.close()
            raise

    def _settings(self, models):
        """It fails at once, every time: trying again is what is tested."""
        path = Path(self.folder) / "config.yaml"  # (JSON is YAML)
        path.write_text(json.dumps({
            "model_list": [{"model_name": name, "litellm_params": params}
                           for name, params in models.items()],
            "litellm_settings": {"num_retries": 0, "telemetry": False},
            "router_settings": {"num_retries": 0, "disable_cooldowns": True}},
            ensure_ascii=False))
        return path

    def _ready(self):
        self.check_alive()
        try:
            return self.ask("GET", "/health/liveliness").status_code == 200
        except httpx.TransportError:
            return False

    def check_alive(self):
        """What it said at its end is the failure, not what came of it elsewhere."""
        if self.process.poll() is not None:
            raise AssertionError(f"LiteLLM ended with {self.process.returncode}:\n"
                                 + "\n".join(self.output.lines[-40:]))

    def ask(self, method, path, **body):
        """Its whole answer, past every server of ours."""
        with httpx.Client(trust_env=False, timeout=20 * PATIENCE) as client:
            return client.request(method, self.base + path, json=body or None,
                                  headers={"Authorization": f"Bearer {KEY}"})

    def kill9(self):
        self.process.kill()
        self.process.wait()
        self.output.join()

    def close(self):
        """It keeps nothing, so it need not stop in good order."""
        try:
            self.kill9()
        finally:
            self.kept.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
