"""`failover-drill init`: describe the pair that is to be drilled, by looking around, and write it into drill.toml.

identity ─► subscriptions ─► profiles, apps ─► proposal ─► asked, or taken with --yes ─► [target.NAME] ─► read again, as a check
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from failover_drill import discovered
from failover_drill.discovered import Endpoint, Profile, Sight
from failover_drill.errors import SettingsError
from failover_drill.new_suite import shipped, write
from failover_drill.settings import check_azure, load
from failover_drill.settings_targets import AzureTarget
from failover_drill.target import group_name

if TYPE_CHECKING:
    from failover_drill.adapters.credentials import Cloud

LOOKUP_S = 5.0


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(name="init")(command)


class Ask(Protocol):
    """Settles one question. *free*: where only one answer is proposed, another may be given."""

    def __call__(self, what: str, proposals: Sequence[str], *, free: bool = False) -> str: ...


def _taken(what: str, proposals: Sequence[str], *, free: bool = False) -> str:  # noqa: ARG001
    return proposals[0]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line fixes beforehand; "" and empty where it leaves it to what is found."""

    profile: str = ""
    name_servers: tuple[str, ...] = ()
    resolvers: tuple[str, ...] = ()
    ask: Ask = _taken


def command(
    name: Annotated[str, typer.Option(metavar="NAME", help="what the target is to be called: [target.NAME]")] = "prod",
    file: Annotated[Path, typer.Option("--settings", metavar="FILE", help="the settings to write")] = Path("drill.toml"),
    subscription: Annotated[list[str], typer.Option(metavar="ID", help="look here only; may be repeated")] = [],  # noqa: B006
    profile: Annotated[str, typer.Option(metavar="NAME", help="this profile: its name, or its id")] = "",
    cloud: Annotated[str, typer.Option(help="public, china, usgovernment, or the URL of a Resource Manager")] = "public",
    authority: Annotated[str, typer.Option(metavar="URL", help="where tokens come from, if not the cloud's own")] = "",
    audience: Annotated[str, typer.Option(metavar="URL", help="what tokens are asked for, if not the cloud's own")] = "",
    ca_file: Annotated[str, typer.Option("--ca-file", metavar="PEM", help="the CA of a cloud of your own")] = "",
    name_server: Annotated[list[str], typer.Option(metavar="IP:PORT", help="answers for the profile; else found by DNS")] = [],  # noqa: B006
    resolver: Annotated[list[str], typer.Option(metavar="NAME=IP:PORT", help="a resolver of your users; repeatable")] = [],  # noqa: B006
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing: take what is proposed, or say why it cannot be")] = False,
    force: Annotated[bool, typer.Option("--force", help="change a file that is there: this target only")] = False,
) -> None:  # fmt: skip
    """Find the profiles and apps that you can see, propose the pair, ask, and describe it in drill.toml. Reads only."""
    from failover_drill.adapters.credentials import cloud_of
    from failover_drill.adapters.reach import check_ca_file

    if file.exists() and not force:
        raise SettingsError(
            f"{file}: there is such a file; --force adds or replaces [target.{name}] in it, and no more"
        )
    given = {"cloud": cloud, "authority": authority, "audience": audience, "ca_file": ca_file or None}
    given |= {"subscription_id": subscription[0]} if subscription else {}
    check_azure(given)
    if ca_file:
        check_ca_file(ca_file)
    interactive = not yes and sys.stdin.isatty()
    wishes = Wishes(profile, tuple(name_server), tuple(resolver), _asked if interactive else _taken)
    found = describe(cloud_of(cloud, authority, audience), ca_file or None, subscription, wishes)
    kept = {key: value for key, value in given.items() if value and value != "public"}
    table = {"kind": "azure", **found, **kept, "subscription_id": found["subscription_id"]}
    written(file, name, table)
    typer.echo(
        f"{file}: [target.{name}] is {found['profile']}: {_pair(table)}; next: failover-drill preflight --target {name}"
    )


def describe(cloud: Cloud, ca_file: str | None, subscriptions: Sequence[str], wishes: Wishes) -> dict[str, Any]:
    """Look around, choose, and return the table of the target. Raises SettingsError where there is nothing to choose."""
    from failover_drill.adapters.discovery import Discovery

    discovery = Discovery(cloud, ca_file)
    places = list(subscriptions) or discovery.subscriptions("/subscriptions")
    sights = [discovery.sight(place) for place in places]
    typer.echo(f"signed in: {discovery.identity}")
    sight = Sight(
        tuple(each for part in sights for each in part.profiles),
        {k: v for part in sights for k, v in part.apps.items()},
    )
    profile = chosen(sight, places, wishes)
    pair = pair_of(sight, profile, wishes)
    return target_table(sight, profile, pair, wishes)


def chosen(sight: Sight, places: Sequence[str], wishes: Wishes) -> Profile:
    """Return the profile that is meant. Raises SettingsError where none can be drilled, or several could be."""
    drillable = discovered.labelled(sight.drillable)
    wanted = wishes.profile.lower()
    candidates = {k: v for k, v in drillable.items() if wanted in ("", v.name.lower(), v.id.lower())}
    if not candidates and wanted:
        seen = ", ".join(drillable) or "none"
        raise SettingsError(
            f"--profile {wishes.profile}: there is no such profile with two web apps; there are: {seen}"
        )
    if not candidates:
        raise SettingsError(discovered.why_none(sight, places))
    if len(candidates) > 1 and wishes.ask is _taken:
        raise SettingsError(f"several profiles could be drilled: {', '.join(candidates)}; name one with --profile")
    return candidates[wishes.ask("profile", tuple(candidates))]


def pair_of(sight: Sight, profile: Profile, wishes: Wishes) -> tuple[Endpoint, Endpoint]:
    """Return the endpoints of primary and secondary."""
    usable = {each.name: each for each in sight.pairable(profile)}
    primary = usable.pop(wishes.ask("endpoint of the primary region", tuple(usable)))
    return primary, usable[wishes.ask("endpoint of the secondary region", tuple(usable))]


def target_table(sight: Sight, profile: Profile, pair: tuple[Endpoint, Endpoint], wishes: Wishes) -> dict[str, Any]:
    """Return [target.NAME] for what was chosen."""
    apps = [app for app in map(sight.app, pair) if app]
    host = wishes.ask("name that users ask for", discovered.hosts(sight, profile, *pair), free=True)
    scheme, port = discovered.door(profile, apps[0], host)
    addresses = [_address(app.default_host, port, wishes.name_servers) for app in apps]
    table: dict[str, Any] = {
        "subscription_id": profile.id.split("/")[2],
        "profile": profile.name,
        "profile_resource_group": group_name(profile.id),
        "public_host": host,
        "scheme": scheme,
        "health_path": wishes.ask("path that tells an app's health", (profile.path,), free=True),
        "primary": discovered.region_table(pair[0], addresses[0]),
        "secondary": discovered.region_table(pair[1], addresses[1]),
    }
    table |= {"port": port} if port != discovered.USUAL_PORTS[scheme] else {}
    table |= {"authorities": list(wishes.name_servers)} if wishes.name_servers else {}
    return table | ({"resolvers": _resolvers(wishes.resolvers)} if wishes.resolvers else {})


def _address(host: str, port: int, name_servers: Sequence[str]) -> str:
    """Return where a region's front end listens, if only our own name servers know; "" where the system resolves it."""
    from failover_drill.adapters.reach import addresses_of

    return addresses_of(host, port, name_servers, LOOKUP_S)[0] if name_servers else ""


def _resolvers(texts: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    wrong = [text for text, (name, _, server) in zip(texts, pairs, strict=True) if not (name and server)]
    if wrong:
        raise SettingsError(f"--resolver {wrong[0]}: must be NAME=IP:PORT, such as office=10.0.0.53:53")
    return {name: server for name, _, server in pairs}


def _asked(what: str, proposals: Sequence[str], *, free: bool = False) -> str:
    """Ask a person, who may choose by number or by name; what is no choice is asked again."""
    alone = len(proposals) == 1
    if free and alone:
        return str(typer.prompt(what, default=proposals[0])).strip()
    for number, each in enumerate(() if alone else proposals, 1):
        typer.echo(f"  {number}  {each}")
    while True:
        said = str(typer.prompt(what, default=proposals[0])).strip()
        found = proposals[int(said) - 1] if said.isdigit() and 0 < int(said) <= len(proposals) else said
        if found in proposals:
            return found
        typer.echo(
            f"{said}: only {proposals[0]} can be" if alone else f"{said}: one of {', '.join(proposals)}, or its number"
        )


def _pair(table: dict[str, Any]) -> str:
    return f"{table['primary']['app']} is the primary, {table['secondary']['app']} the secondary"


def written(file: Path, name: str, table: dict[str, Any]) -> None:
    """Put the target into the settings, the rest of which stays as it is, and read them again before they count.

    Raises SettingsError where the file that is there, or what became of it, cannot be read; then it is as it was.
    """
    draft = file.with_name(f"{file.name}.new")
    try:
        write(draft, with_target(_present(file), name, table))
        assert isinstance(load(draft, {}).target[name], AzureTarget)
        os.replace(draft, file)
    except SettingsError as error:
        raise SettingsError(f"{file}: {str(error).removeprefix(f'{draft}: ')}") from None
    finally:
        draft.unlink(missing_ok=True)


def _present(file: Path) -> str:
    """Return the settings that are there, else those to begin with."""
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return _fresh()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot be read: {error}") from None


def with_target(text: str, name: str, table: dict[str, Any]) -> str:
    """Return drill.toml with [target.NAME] set and its subscription on the allow-list; comments stay.

    Raises SettingsError where the text is not TOML, or has something else in the place of these tables.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        raise SettingsError(f"not valid TOML: {error}") from None
    target = tomlkit.table()
    for key, value in table.items():
        target[key] = tomlkit.inline_table() if isinstance(value, dict) else value
        if isinstance(value, dict):
            target[key].update(value)
    targets: Any = document.setdefault("target", tomlkit.table(is_super_table=True))
    safety: Any = document.setdefault("safety", tomlkit.table())
    for key, there in (("target", targets), ("safety", safety)):
        if not isinstance(there, Mapping):
            raise SettingsError(f"{key} = {there!r}: should be a table")
    targets[name] = target
    allowed = list(safety.get("subscriptions", ()))
    if table["subscription_id"] not in allowed:
        safety["subscriptions"] = [*allowed, table["subscription_id"]]
    apart = rf"(\[target\.{re.escape(name)}\]\n(?:[^\n\[].*\n)+)(?=\[)"  # tomlkit leaves no line before the next table
    return re.sub(apart, r"\1\n", tomlkit.dumps(document))


def _fresh() -> str:
    """Return the settings to begin with: those that are shipped, without what only their own place has."""
    return "\n".join(line for line in shipped("drill.toml").splitlines() if not line.startswith("#:schema ")) + "\n"
