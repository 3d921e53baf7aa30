"""The local estate, as a program beside us: started, its ready line read, its target made of it. Reached only over the wire.

`EstateProcess` keeps the child's lifetime to its own; an estate that was started elsewhere is described by its ready line in
a file (`pytest --estate READY.json`).
"""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from failover_drill.errors import EstateError, EstateSilent, PlatformError
from failover_drill.target import Region, Role, Target

READY_S = 20.0
STOP_S = 10.0
CONTROL_TOKEN = "FAILOVER_DRILL_CONTROL_TOKEN"
"""Where guardian and `restore` find the key to the estate's switches, as they find its identity: a journal holds no secret."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An estate's ready line. It holds secrets, so it is never written anywhere."""

    fields: Mapping[str, Any]

    @property
    def identity(self) -> dict[str, str]:
        """The environment in which azure-identity finds the estate's managed identity (azure-facts §4.5)."""
        return {
            "IDENTITY_ENDPOINT": self.fields["identity_endpoint"],
            "IDENTITY_HEADER": self.fields["identity_header"],
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        }

    @property
    def environment(self) -> dict[str, str]:
        """What this process and its children need in their environment: the identity, and the key to the switches."""
        return {**self.identity, CONTROL_TOKEN: self.fields["control_token"]}

    @property
    def control(self) -> Control:
        return Control(self.fields["control_url"], self.fields["control_token"])


def read_ready(path: Path) -> Ready:
    """Read a ready line from a file. Raises EstateError, in one line, where it is none or the estate is gone."""
    try:
        fields = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EstateError(f"{path}: cannot be read: {error.strerror}; it should hold the estate's ready line") from None
    except ValueError:
        raise EstateError(
            f"{path}: is not the JSON line that `python -m local_estate` prints when it is ready"
        ) from None
    missing = sorted(NEEDED - set(fields)) if isinstance(fields, dict) else sorted(NEEDED)
    if missing:
        raise EstateError(
            f"{path}: the ready line lacks {missing[0]!r}; it should be printed by `python -m local_estate`"
        )
    return Ready(fields)


NEEDED = frozenset(
    {
        *("arm_url", "ca_file", "identity_endpoint", "identity_header", "subscription_id", "dns", "http_port"),
        *("profile_id", "profile_fqdn", "public_host", "web_apps", "control_url", "control_token"),
    }
)


def target_of(ready: Ready, name: str = "local") -> Target:
    """Return the target that a ready line describes. Raises EstateError where it has no primary and secondary."""
    fields = ready.fields
    regions = {app["role"]: _region(app, fields["profile_id"]) for app in fields["web_apps"]}
    if not {Role.PRIMARY, Role.SECONDARY} <= set(regions):
        raise EstateError("the estate has no web app in the role of primary and secondary each")
    return Target(
        name=name,
        subscription_id=fields["subscription_id"],
        profile_id=fields["profile_id"],
        profile_fqdn=fields["profile_fqdn"],
        public_host=fields["public_host"],
        primary=regions[Role.PRIMARY],
        secondary=regions[Role.SECONDARY],
        authorities=(fields["dns"],),
        resolvers=tuple((f"resolver {i + 1}", server) for i, server in enumerate(fields.get("resolvers", ()))),
        scheme="http",
        port=fields["http_port"],
        arm_url=fields["arm_url"],
        ca_file=fields["ca_file"],
        local=True,
        time_scale=fields.get("time_scale", 1.0),
        control_url=fields["control_url"],
    )


def _region(app: Mapping[str, str], profile_id: str) -> Region:
    return Region(
        name=app["region"],
        role=Role(app["role"]),
        app_id=app["resource_id"],
        default_host=app["default_host_name"],
        endpoint_id=f"{profile_id}/azureEndpoints/{app['endpoint']}",
        address=app["address"],
    )


class Control:
    """The estate's own switches: faults, reset, truth. Azure has nothing like it."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        """Return the JSON answer. Raises EstateError with what the estate said."""
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise EstateError(f"the estate refused {method} {path}: {error.read().decode()[:300]}") from None
        except OSError as error:
            raise EstateSilent(f"the estate does not answer {method} {path}: {error}") from None


class EstateFaults:
    """`Faults` over the estate's control URL; on a target that has none, every verb says so."""

    def __init__(self, control_url: str) -> None:
        """The key is read from the environment, once."""
        self._url = control_url
        self._token = os.environ.get(CONTROL_TOKEN, "")
        self._control = Control(control_url, self._token)

    def set(self, request: Mapping[str, object]) -> None:
        self._call("inject", "POST", "/_faults", request)

    def end(self, fault_id: str) -> None:
        if self.on(fault_id):
            self._call("end", "DELETE", f"/_faults/{fault_id}")

    def on(self, fault_id: str) -> bool:
        listed = self._call("list", "GET", "/_faults")["faults"]
        return any(each["id"] == fault_id and each["status"] in {"waiting", "on"} for each in listed)

    def _call(self, verb: str, method: str, path: str, body: Mapping[str, object] | None = None) -> Any:
        operation = f"{verb} fault"
        if not self._url:
            said = "there are no faults on request here: tag the scenario @estate_only, it needs the local estate"
            raise PlatformError(said, operation=operation, resource_id="")
        if not self._token:
            said = f"{operation}: the key to the estate's switches is not here: name its ready line with --estate"
            raise PlatformError(said, operation=operation, resource_id=self._url)
        try:
            return self._control.call(method, path, body)
        except EstateError as error:
            known = not isinstance(error, EstateSilent)
            raise PlatformError(
                f"{operation}: {error}", operation=operation, resource_id=self._url, outcome_known=known
            ) from None


class EstateProcess:
    """`python -m local_estate`, from its first line to its last. A context manager; leaving it ends the process."""

    def __init__(self, configuration: Mapping[str, Any], log: Path) -> None:
        self._configuration, self._log = configuration, log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Ready:
        with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
            json.dump(dict(self._configuration), file)
        command = [sys.executable, "-m", "local_estate", "--config", file.name, "--exit-with-parent"]
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
                )
            return Ready(json.loads(self._first_line()))
        except BaseException:
            self.__exit__()
            raise
        finally:
            os.unlink(file.name)

    def _first_line(self) -> bytes:
        """Wait for the ready line. Raises EstateError with the estate's own last words where none comes."""
        assert self._process is not None
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            line = self._process.stdout.readline() if selector.select(READY_S) else b""
        if not line:
            raise EstateError(f"the local estate did not start: {self._last_words()}")
        return line

    def _last_words(self) -> str:
        lines = self._log.read_text("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing within {READY_S:g} s"

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()
