"""Is a secret of any estate in any run, or in anything that a drill printed? Looked for in everything that a session has made.

<session>/…/ready.json              the secrets of each estate that tests started, and how every token begins
<session>/…/reports/<drill>/<run>/  each file of each run: journals, reports, the logs of guardian and Locust
<session>/…/outputs.txt             stdout and stderr of each drill (tests/stage.py)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

OUTPUTS = "outputs.txt"
SECRETS = ("identity_header", "control_token", "client_secret")
TOKEN = "eyJ0eXAiOiJKV1Qi"  # a JWT's header, as the estate writes it
SHORTEST = 20  # a shorter one is a test's own nonsense


def leaks(root: Path) -> list[str]:
    """Return each file that holds a secret, and which one by name: never the secret itself."""
    secrets = {TOKEN.encode(): "a token", **_secrets(root)}
    return [
        f"{path} holds {name}"
        for path in _told(root)
        for content in [path.read_bytes()]
        for secret, name in secrets.items()
        if secret in content
    ]


def _secrets(root: Path) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for file in root.rglob("ready.json"):
        ready = json.loads(file.read_text("utf-8"))
        named = {name: str(ready.get(name, "")) for name in SECRETS}
        found |= {value.encode(): name for name, value in named.items() if len(value) >= SHORTEST}
    return found


def _told(root: Path) -> Iterator[Path]:
    runs = {journal.parent for journal in root.rglob("journal.jsonl")}
    yield from (path for run in runs for path in run.rglob("*") if path.is_file())
    yield from root.rglob(OUTPUTS)
