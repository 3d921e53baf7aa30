"""What a run was made with: versions, machine and commit, for whoever has to reproduce its figures."""

from __future__ import annotations

import importlib.metadata
import os
import platform as machine
import subprocess

from failover_drill.target import Target


def environment(target: Target) -> dict[str, str]:
    """Return versions, machine and commit, for whoever has to reproduce the figures. Never a secret."""
    packages = (
        "failover-drill",
        "azure-mgmt-web",
        "azure-mgmt-trafficmanager",
        "azure-identity",
        "locust",
        "dnspython",
        "pytest-bdd",
    )
    versions = {package: _version(package) for package in packages}
    return versions | {
        "target": target.name,
        "subscription": target.subscription_id,
        "public host": target.public_host,
        "python": machine.python_version(),
        "machine": f"{machine.system()} {machine.release()} {machine.machine()}, {os.cpu_count()} cores",
        "commit": _commit(),
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
