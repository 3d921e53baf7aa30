"""What people get from PyPI: a wheel, in a fresh environment, on every Python that this machine has; drilled from end to end."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from failover_drill import journal
from tests.stage import COLD, QUICK, ROOT, TRIES, Drilled, Estate, estate, latest
from tests.test_credentials import SLOT, managed_identity, only
from tests.test_preflight_role import actions, used

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
TYPED = "import importlib.resources as r; print(all((r.files(p) / 'py.typed').is_file() for p in {packages!r}))"
PACKAGES = ("failover_drill", "local_estate", "steps", "loadtests")
DRILL = ("pytest", "features/failover.feature", "--target", "prod", "--yes-really")
DRILLED = {
    *("WebApps_Stop", "WebApps_Start", "WebApps_StopSlot", "WebApps_StartSlot", "Endpoints_Update"),
    "Tags_UpdateAtResource",
}


def pythons() -> dict[tuple[int, int], Path]:
    """Return one interpreter of each version from 3.11 on that this machine has, our own among them."""
    found = {sys.version_info[:2]: Path(sys.executable)}
    places = [
        Path.home() / ".pyenv" / "versions",
        Path("/usr"),
        Path("/usr/local"),
        Path("/opt/hostedtoolcache/Python"),
    ]
    for place in places:
        for each in sorted(
            [*place.glob("*/bin/python3.*"), *place.glob("bin/python3.*"), *place.glob("*/x64/bin/python3.*")]
        ):
            version = re.fullmatch(r"python3\.(\d+)", each.name)
            if version and int(version[1]) >= 11:
                found.setdefault((3, int(version[1])), each)
    return found


PYTHONS = pythons()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as a release is."""
    place = tmp_path_factory.mktemp("dist")
    called("pip", "wheel", "-qq", "--no-deps", "-w", str(place), str(ROOT))
    (built,) = place.glob("*.whl")
    return built


def called(module: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Environment:
    """A fresh virtual environment that holds the wheel and what it requires, and a home that holds nothing."""

    def __init__(self, place: Path, python: Path, wheel: Path) -> None:
        self.bin, self._home = place / "venv" / "bin", place
        subprocess.run([python, "-m", "venv", "--without-pip", place / "venv"], check=True, timeout=240)
        called("pip", "--python", str(self.bin / "python"), "install", "-qq", "--no-compile", str(wheel))

    def run(self, where: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment with these variables and no others."""
        own = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "COLUMNS": "160",
            **environment,
        }
        told = [str(self.bin / command[0]), *command[1:]]
        return subprocess.run(told, cwd=where, env=own, capture_output=True, text=True, timeout=240, check=False)


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[int, int]], Environment]:
    """An environment for a version of Python, made when it is first asked for."""
    return cache(lambda version: Environment(tmp_path_factory.mktemp("env"), PYTHONS[version], wheel))


@pytest.fixture(params=sorted(PYTHONS), ids=lambda version: ".".join(map(str, version)))
def installed(request: pytest.FixtureRequest, environments: Callable[[tuple[int, int]], Environment]) -> Environment:
    return environments(request.param)


def test_the_wheel_on_every_python(installed: Environment, tmp_path: Path) -> None:
    """Command, plugin, steps, estate, types and a suite of one's own are there, with the one version."""
    assert installed.run(tmp_path, "failover-drill", "--version").stdout == f"failover-drill {VERSION}\n"
    assert installed.run(tmp_path, "python", "-c", TYPED.format(packages=PACKAGES)).stdout == "True\n"
    assert "local_estate" in installed.run(tmp_path, "python", "-m", "local_estate", "--help").stdout
    assert installed.run(tmp_path, "failover-drill", "new", "suite").returncode == 0
    suite = tmp_path / "suite"
    listed = installed.run(suite, "pytest", "--collect-only", "-q")
    assert "ours.feature::test_the_primary_is_where_it_should_be" in listed.stdout, listed.stdout + listed.stderr
    assert "failover.feature::test_the_web_app_fails_over_by_the_playbook" in listed.stdout
    planned = installed.run(suite, "pytest", "features/ours.feature", "--dry-run", "-q")
    assert planned.returncode == 0, planned.stdout + planned.stderr
    assert "signed in: ManagedIdentityCredential" in planned.stdout


@pytest.fixture
def newest(environments: Callable[[tuple[int, int]], Environment]) -> Environment:
    return environments(max(PYTHONS))


@pytest.fixture
def stage(newest: Environment, tmp_path: Path) -> Iterator[Estate]:
    """An estate of the installed wheel, started apart; its secondary's endpoint leads to a deployment slot."""
    config = {**COLD, "resolver": {"count": 1}}
    (tmp_path / "elsewhere").mkdir()
    with estate(tmp_path / "estate", config, python=str(newest.bin / "python"), cwd=tmp_path / "elsewhere") as running:
        with only(managed_identity(running)):
            lead_to_a_slot(running)
        yield running


def test_an_estate_is_drilled_as_azure_is(newest: Environment, stage: Estate, tmp_path: Path) -> None:
    """In an empty directory: a suite, a target found by looking around, preflight, the drill; with the roles of deploy/.

    The estate is named as an Azure target with a cloud of its own, and signed in to by the usual chain, from the
    environment: nothing here knows that it is not Azure.
    """
    suite = tmp_path / "suite"
    suite.mkdir()
    quick = {**QUICK, "FAILOVER_DRILL__TARGET__PROD__TIME_SCALE": str(stage.ready["time_scale"])}
    identity = managed_identity(stage)

    def run(*command: str) -> str:
        done = newest.run(suite, *command, **identity, **quick)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    del quick["FAILOVER_DRILL__TARGET__PROD__TIME_SCALE"]  # before there is such a target
    run("failover-drill", "new", ".")
    cloud = (
        "--cloud",
        stage.ready["arm_url"],
        "--ca-file",
        stage.ready["ca_file"],
        "--name-server",
        stage.ready["dns"],
    )
    run("failover-drill", "init", "--force", "--yes", *cloud, "--resolver", f"users={stage.ready['resolvers'][0]}")
    quick["FAILOVER_DRILL__TARGET__PROD__TIME_SCALE"] = str(stage.ready["time_scale"])
    assert "prod (azure)" in run("failover-drill", "config", "check")
    run("failover-drill", "preflight", "--target", "prod", "--no-plan")
    before, writes = used(stage), len(stage.truth("write"))

    drilled = performed(lambda: newest.run(suite, *DRILL, **identity, **quick), suite)
    assert drilled.code == 0, drilled.output
    directory, findings = drilled.directory, drilled.findings
    assert directory is not None
    assert findings["verdict"] == "MET", drilled.output
    assert findings["drill"]["restored"] == "yes"
    signed_in = findings["environment"]["signed in"]
    assert signed_in.startswith(f"ManagedIdentityCredential, client id {stage.ready['client_id']}")
    assert signed_in.endswith("may do all that a drill and its undo call")
    header = journal.read(directory / "journal.jsonl")[0].fields["target"]
    assert (header["local"], header["arm_url"]) == (False, stage.ready["arm_url"])
    assert header["secondary"]["app_id"].endswith(f"/slots/{SLOT}")
    assert "front page" in (directory / "findings.json").read_text("utf-8")  # the suite's own user was measured, too
    assert "unchanged since it was sealed" in run("failover-drill", "verify", "reports/latest")
    assert {each["operation"] for each in stage.truth("write")[writes:]} == DRILLED
    roles = actions("role.json") | actions("role-slots.json")
    assert used(stage) >= roles
    assert used(stage) - before <= roles


def performed(drill: Callable[[], subprocess.CompletedProcess[str]], suite: Path) -> Drilled:
    """A drill of the suite, anew where its instrument says that this machine was too busy for it."""
    for _ in range(TRIES):
        done = drill()
        drilled = Drilled(done.returncode, done.stdout + done.stderr, latest(suite))
        if drilled.fit:
            break
    return drilled


def lead_to_a_slot(stage: Estate) -> None:
    """Give the secondary a stopped deployment slot with the public host name, and lead its endpoint there."""
    from azure.core.rest import HttpRequest
    from azure.identity import DefaultAzureCredential
    from azure.mgmt.web import WebSiteManagementClient

    ready = stage.ready
    app = next(each for each in ready["web_apps"] if each["role"] == "secondary")
    slot, endpoint = f"{app['resource_id']}/slots/{SLOT}", f"{ready['profile_id']}/azureEndpoints/{app['endpoint']}"
    client = WebSiteManagementClient(
        DefaultAzureCredential(),
        ready["subscription_id"],
        base_url=ready["arm_url"],
        connection_verify=ready["ca_file"],
    )
    disabled = {"targetResourceId": slot, "endpointStatus": "Disabled", "priority": 2}
    for method, url, body in (
        ("PUT", f"{slot}?api-version=2025-05-01", {"location": app["location"], "tags": {"failover-drill": "allowed"}}),
        ("PUT", f"{slot}/hostNameBindings/{ready['public_host']}?api-version=2025-05-01", {"properties": {}}),
        ("POST", f"{slot}/stop?api-version=2025-05-01", None),
        ("PUT", f"{endpoint}?api-version=2022-04-01", {"properties": disabled}),
    ):
        answer = client.send_request(HttpRequest(method, url, json=body))
        answer.raise_for_status()
