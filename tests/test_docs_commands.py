"""Every command of the documentation is run: here, or where this page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from scripts.pages import SHELL, Block, blocks, commands, pages
from tests.stage import QUICK, ROOT, Estate, estate
from tests.work_tree import copy_work_tree

WARM = {"time_scale": 20, "profile": {"ttl": 1}, "regions": [{"location": "eastus"}, {"location": "westus3"}]}
RUN = "reports/proseware-failover/2026-11-23T05-09-30Z"

ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "tests/test_drill_faults.py": ("pytest features/failback.feature", 'pytest features -m "not estate_only"'),
    "tests/test_live_drill.py": ("pytest features/failover.feature --live",),
    "tests/test_observe.py": ("failover-drill observe https://www.example.com --for 10m",),
    "tests/test_trial.py": ("failover-drill selftest --quick",),
    "tests/test_load_process.py": (
        "locust -f loadtests/locustfile.py --host http://www.example.org",
        "locust -f loadtests/locustfile.py --host http://www.example.org --headless -t 5m",
        "failover-drill measure reports/load/<UTC time> [--slo 99.9 --window 30d] [--json FILE] [--report]",
    ),
    "tests/test_load_distributed.py": (
        "locust -f loadtests/locustfile.py --host http://www.example.org --master --expect-workers 2 --headless",
        "locust -f loadtests/locustfile.py --worker --master-host 10.0.0.1",
    ),
    "tests/estate/test_resolver.py": (
        "python -m local_estate.resolver --upstream 127.0.0.1:50123",
        "python -m local_estate.unbound --upstream 127.0.0.1:50123 --port 50124 --dir /tmp/cache --zone proseware.example",
        "unbound -d -c /tmp/cache/unbound.conf",
        "dig @127.0.0.1 -p 50124 www.proseware.example",
    ),
    "scripts/stranger": (
        "make drill",
        ". .venv/bin/activate",
        "python -m http.server --bind 127.0.0.1 8765 >server.log 2>&1 &",
        "sleep 2",
        "failover-drill observe http://127.0.0.1:8765/ --for 10s",
        "kill %1",
        "failover-drill selftest --quick --rate 50",
        "cd ..",
        "python3 -m venv drills",
        ". drills/bin/activate",
        "pip install --quiet ./failover-drill",
        "failover-drill new my-drills",
        "cd my-drills",
        "pytest features --collect-only --quiet",
        "pytest features/ours.feature",
    ),
    "tests/test_nightly.py": (
        # an installation for a machine of its own; the image, the units and the scripts are run or linted there
        "python3 -m venv /opt/failover-drill",
        "/opt/failover-drill/bin/pip install failover-drill",
        "git clone <your suite> /srv/drills",
        "podman build --file deploy/Containerfile --tag failover-drill .",
        'podman run --userns keep-id:uid=10001,gid=10001 --volume "$PWD:/suite:Z" failover-drill '
        "features/failover.feature --target sandbox --yes-really",
    ),
    "tests/test_init.py": ("failover-drill init", "failover-drill init --yes", "failover-drill init --force"),
    "tests/test_installed.py": (
        "python -m local_estate > ready.json &",
        "export IDENTITY_ENDPOINT=… IDENTITY_HEADER=…",
        "failover-drill init --cloud ARM_URL --ca-file CA_FILE --name-server DNS --resolver users=DNS",
    ),
    "tests/test_notify.py": (
        "export FAILOVER_DRILL__NOTIFY__SLACK=https://hooks.slack.com/services/…",
        "export FAILOVER_DRILL__NOTIFY__TEAMS=https://….logic.azure.com/workflows/…",
        "export FAILOVER_DRILL__NOTIFY__WEBHOOK=https://example.com/drills",
    ),
    "tests/test_telemetry.py": (
        "pip install 'failover-drill[telemetry]'",
        "export OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.example.com:4318",
        "pytest features/failover.feature",
    ),
    ".ci/run": ("make test", "make lint", "make format", "make stranger"),
    "tests/test_docs_site.py": ("make docs",),
    "scripts/system-packages": (
        # installs Chromium; what it prints is tested, this very line needs a desktop: as root it wants --no-sandbox
        "chromium --headless --window-size=900,1200 --virtual-time-budget=20000 --no-pdf-header-footer "
        "--print-to-pdf=report.pdf reports/latest/report.html",
    ),
}
"""Where a command is run that is not run here: it takes minutes, needs a terminal, or is at the heart of a test of its own."""

NEEDS_AZURE = re.compile(r"([A-Z]+=\$\()?az |pytest .* --yes-really$")
FIGURES = re.compile(
    r"(chrt --rr 5 )?python (-m benchmarks|benchmarks/)"
)  # minutes to hours; their pages carry what came of it
SHELL_BLOCKS = [block for page in pages() for block in commands(page)]
BEFORE: Mapping[str, str] = {"docs/runbook.md": "echo 'incident 4711' > STOP-DRILLS"}


def run_here(command: str) -> bool:
    elsewhere = any(command in listed for listed in ELSEWHERE.values())
    return not (elsewhere or NEEDS_AZURE.match(command) or FIGURES.match(command))


def scripts(found: list[Block]) -> list[tuple[Block, str]]:
    """Return each block with those of its commands that are run here. One that stands in several pages is run once."""
    seen, made = set[str](), []
    for block in found:
        lines = [each for each in dict.fromkeys(block.commands) if run_here(each) and each not in seen]
        seen |= set(lines)
        made.append((block, "\n".join(lines)))
    return [(block, script) for block, script in made if script]


# ---- the desk -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with estate(tmp_path_factory.mktemp("estate"), WARM) as running:
        yield running


@pytest.fixture(scope="module")
def desk(stage: Estate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with a finished run, the ready line of an estate, and [target.prod] as docs/your-estate.md writes it."""
    desk = tmp_path_factory.mktemp("desk")
    copy_work_tree(desk)
    shutil.copytree(desk / "reports/example", desk / RUN)
    (desk / "reports/latest").symlink_to(RUN.removeprefix("reports/"))
    (desk / "RUN").symlink_to(RUN)
    shutil.copy(stage.file, desk / "READY.json")
    (desk / "found.csv").write_text("kind,began,ended,reason,share,service,source\n", "utf-8")
    target = next(b for b in blocks("docs/your-estate.md") if b.language == "toml" and "[target.prod]" in b.text)
    with (desk / "drill.toml").open("a", encoding="utf-8") as settings:
        settings.write(f"\n{target.text}\n")
    return desk


@pytest.fixture(scope="module")
def environment(stage: Estate) -> dict[str, str]:
    """What makes [target.prod] lead to the estate: the custom cloud, its own names, the identity that it offers."""
    ready = stage.ready
    primary, secondary = sorted(ready["web_apps"], key=lambda app: app["role"])
    prod = {
        "SUBSCRIPTION_ID": ready["subscription_id"],
        "PROFILE": ready["profile"],
        "PROFILE_RESOURCE_GROUP": ready["profile_id"].split("/")[4],
        "PUBLIC_HOST": ready["public_host"],
        "SCHEME": "http",
        "PORT": str(ready["http_port"]),
        "CLOUD": ready["arm_url"],
        "CA_FILE": ready["ca_file"],
        "AUTHORITIES": f'["{ready["dns"]}"]',
        "RESOLVERS__CORPORATE": ready["dns"],
        "TIME_SCALE": "20",
    }
    for role, app in (("PRIMARY", primary), ("SECONDARY", secondary)):
        prod[f"{role}__APP"], prod[f"{role}__RESOURCE_GROUP"] = app["name"], app["resource_group"]
        prod[f"{role}__ENDPOINT"], prod[f"{role}__ADDRESS"] = app["endpoint"], app["address"]
    return {
        **os.environ,
        **QUICK,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "IDENTITY_ENDPOINT": ready["identity_endpoint"],
        "IDENTITY_HEADER": ready["identity_header"],
        "FAILOVER_DRILL__SAFETY__SUBSCRIPTIONS": f'["{ready["subscription_id"]}"]',
        **{f"FAILOVER_DRILL__TARGET__PROD__{key}": value for key, value in prod.items()},
    }


# ---- the tests ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("block", "script"), [pytest.param(*each, id=str(each[0])) for each in scripts(SHELL_BLOCKS)])
@pytest.mark.timeout(400)
def test_it_runs(block: Block, script: str, desk: Path, environment: dict[str, str]) -> None:
    """The commands of this block, as they are written, one after the other, all succeed."""
    if "pdf" in script and not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (scripts/system-packages)")
    lines = f"{BEFORE.get(block.page, '')}\nset -x\n{script}\n"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=desk,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    (desk / "STOP-DRILLS").unlink(missing_ok=True)
    assert ran.returncode == 0, f"{block}\n{ran.stdout}"


@pytest.mark.parametrize("page", pages())
def test_every_block_says_what_it_is(page: str) -> None:
    """Commands are fenced and labelled `sh`; what is not to be typed has another label. So none hides from these tests."""
    tokens = MarkdownIt().parse((ROOT / page).read_text("utf-8"))
    found = [token for token in tokens if token.type in ("fence", "code_block")]
    unlabelled = [token.map for token in found if token.type == "code_block" or not token.info.strip()]
    assert unlabelled == [], f"{page}: label these blocks (lines from, to): sh for commands, text for what is shown"
    shells = [token.content for token in found if token.info.strip() in ("bash", "shell", "console", "zsh", SHELL)]
    assert len(shells) == len(commands(page)), f"{page}: the label of commands is {SHELL}"


@pytest.mark.parametrize("where", ELSEWHERE)
def test_elsewhere_is_somewhere(where: str) -> None:
    """What is said to run a command exists, and the documentation has each command that is listed so."""
    assert (ROOT / where).is_file()
    written = {command for block in SHELL_BLOCKS for command in block.commands}
    assert [command for command in ELSEWHERE[where] if command not in written] == []
