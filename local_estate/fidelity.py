"""`python -m local_estate.fidelity > docs/fidelity.md`: what the estate does as Azure does, generated from the operation table.

Prose that no table holds (behaviours, differences, what the comparer cannot compare) is below, as data.
"""

# ruff: noqa: E501 - prose in tables

from __future__ import annotations

from collections.abc import Iterable

from local_estate.arm_call import Operation
from local_estate.arm_table import PLAIN, RESOURCES, TAG_ROWS, TRAFFIC_MANAGER, WEB_APPS
from local_estate.config import DelaysConfig
from local_estate.faults_catalogue import CATALOGUE
from local_estate.fidelity_facts import FACTS
from local_estate.fidelity_facts import NOT_HERE as ABSENT

HEAD = """# Fidelity: what the estate does as Azure does, and what it does not

Generated from the operation table by `python -m local_estate.fidelity > docs/fidelity.md`; a test holds the two together.

Evidence grades, as in the fact collection this was built from: **R** recorded wire traffic, **L** tested live with the real
SDK or CLI, **S** SDK or specification source, **D** Microsoft's documentation, **O** observed and published by somebody,
**U** unverified: our inference. `501` means that Azure has the call and the estate answers it with 501, naming it; so it does
with any call that is in no table here.
"""

BEHAVIOURS: tuple[tuple[str, str, str], ...] = (
    ("Paths, resource names and enum values match in any case; answers use the service's own", "R", ""),
    ("Traffic Manager's JSON escapes `/` as `\\/`, App Service's does not", "R", ""),
    ("Older api-versions print fewer keys (2015-11-01 to 2026-09-01); from 2022-04-01 absent values are `null`", "R", ""),
    ("Lists of 2018-04-01 and before carry no monitor statuses", "R", ""),
    ("An endpoint PUT answers 201 always; a profile PUT 201 on create, 200 on update", "R", ""),
    ("DELETE answers 200 with an empty body, on which mgmt-trafficmanager 2.0.0 fails", "R", '`[tm] delete_body = "object"` gives `{}`'),
    ("DELETE of what is not there answers 204", "S", ""),
    ("Endpoints are printed in the order of their priority", "R", ""),
    ("Defaults: weight 1, next free priority, interval 30, tolerated 3, timeout 10 (9 with interval 10)", "R", "a PUT without a priority keeps the endpoint's [U]"),
    ("`target` and `endpointLocation` of azure and nested endpoints are derived; read-only fields sent back are ignored", "R", ""),
    ("A PUT answers with the new monitor status at once: Disabled, CheckingEndpoint, Unmonitored; null for a nested endpoint", "R", "an endpoint of a disabled profile says CheckingEndpoint in the PUT and Inactive after [U]"),
    ("A profile PUT replaces the profile: endpoints left out are removed", "U", ""),
    ("PATCH is a JSON merge patch (RFC 7396); tags merge, null removes", "S", "no recording of a PATCH exists"),
    ("All rules of TTL, probing, headers, ranges, priorities, weights, targets, regions, SKU, nesting are checked", "D", "the texts of most 400s are ours [U]; loopback addresses are allowed as targets"),
    ("A taken DNS name is 409; the relative name of a profile cannot be changed", "U", ""),
    ("Adding a web app as an endpoint binds `<name>.trafficmanager.net` to it", "D", "shown in `hostNames` and bindings, and served; the certificate is that of `*.azurewebsites.net`"),
    ("404s: the gateway's, Traffic Manager's unwrapped one for an endpoint, Microsoft.Web's own for slots and bindings", "R", ""),
    ("401 with `WWW-Authenticate`, 403 AuthorizationFailed for a custom role, 400 for a missing or unknown api-version", "U", ""),
    ("Headers: request ids (Traffic Manager echoes the client's), correlation and routing ids, rate headers, HSTS", "R", "each operation names its own allowance; none is counted down"),
    ("ETag of a site: its lastModifiedTimeUtc as a FILETIME in hex; none on Traffic Manager", "R", ""),
    ("Stop and start change `state` and the modification time only, at once; serving follows later", "R", "see the delays"),
    ("New default hosts carry a hash and the region", "O", "apps PUT through ARM get `<name>.azurewebsites.net`, as recorded, unless a label scope is sent"),
    ("A site prints all keys of the service, in its order; `siteConfig` inside it is null but for a few, config/web has the values", "R", "some values differ from app to app (`sku`, `netFrameworkVersion`, `publicNetworkAccess`)"),
    ("A new slot takes the plan, no settings, tags or state of its app", "R", ""),
    ("Slot swap: 202, Location, polls, 200 with the site; `deploymentId` changes places, `slotSwapStatus` tells of it, `targetSwapSlot` while it is prepared", "R", "two polls of 1 s; the recording has four of 15 s"),
    ("Managed identity (App Service and IMDS protocols), Entra tokens for a service principal", "L", "assertions are accepted unchecked"),
    ("CONNECT proxy for Azure's public names; every other host 403", "L", ""),
    ("A POST body over 4 MiB is 413", "U", ""),
)  # fmt: skip

DATA_PLANE: tuple[tuple[str, str, str], ...] = (
    ("Endpoint and profile states as tables, checked by property; the state diagram in the docs is made from the table", "D", "Unmonitored counts as Online for a profile's status [U]"),
    ("Several probing locations count apart; Online while half of them say up; tolerated + 1 failures in a row; one success is enough", "D", "`[monitor] locations`, 3 by default"),
    ("HTTP, HTTPS and TCP probes; ranges, headers, Host; no redirects followed, certificates not validated", "D", ""),
    ("CheckingEndpoint is served; all degraded is answered as if online; Stopped is not probed until the restart is noticed, or the endpoint disabled and enabled", "D", ""),
    ("Priority, Weighted, Performance, Geographic, MultiValue, Subnet; nested profiles resolve to a single CNAME", "D", "nearness is the great circle between regions [U]; places of clients come from `[[sources]]`"),
    ("NXDOMAIN with the SOA and its minimum of 30 s; NODATA, REFUSED, NOTIMP, EDNS, client subnet, truncation and TCP, TTL 0", "O", "today's name of the SOA's server is a guess [U]"),
    ("The name server is authoritative for `azurewebsites.net`, too, and gives CNAME and address in one answer, so that it can be asked directly", "O", '`[tm] dns_answer = "cname"` gives the CNAME alone, as Traffic Manager does; a resolver in front makes no difference of it'),
    ("A change of the control plane reaches the name server after one propagation delay", "U", "a setting"),
    ("Site names end in an A record on the region's loopback address, without the hops through stamps and clusters", "U", "one port for all regions, because an A record carries none; the monitor takes 80 and 443 for it"),
    ("The 403 of a stopped app and the 404 of an unbound host: status line, headers, length, title, close", "O", "the wording is ours"),
    ("Affinity cookies, HTTPS with a certificate per host name, cold start after a start, requests under way at a stop", "O", ""),
    ("Each region is a process, killed or suspended for real", "L", ""),
    ("`/data` of every app: a store of the estate's own, replicated to the other regions `[replication] lag_s` later", "U", "not Azure's: App Service replicates nothing, an app's database does, by its own rules. It stands for one that acknowledges first and replicates from memory: what a stopped or killed app had not sent is lost"),
)  # fmt: skip

COMPARER = """## Replaying recorded answers

`replay.py --ready READY.json RECORDING…` compares the estate's answers with recorded ones. Of the 127 answers of the open
recordings that it compares, **96 match and 31 differ; all 31 hang on PUTs whose body the recorder did not store**, so that no
server could answer them: of the 96 others, all match (`tests/estate/test_replay.py` holds that).

| recording | differ | why |
| --- | --- | --- |
| java_tm_profile | 26 | its recorder stores no request bodies (as its own `note` says): the 14 PUTs are sent empty, so nothing that follows exists |
| xplat_…_create_with_defaults | 3 | the PUT has no body; the GET and DELETE after it ask for what it would have made |
| xplat_…_endpoints_set, xplat_…_profiles_set | 1 each | the PUT has no body |

An empty PUT is refused with 400 here, as no service could do otherwise (its code, MissingRequestBody, is our inference). Guessing a body from the path would be recognising the recording. Where the
recorded answer is sent as the body that the recorder dropped, **127 of 127 match**, and so they do
with every group, profile, endpoint, site and DNS name replaced by another; that is in the same test.

Skipped by the comparer: calls other than Traffic Manager's and the web-app calls of a drill (plans, deployments, PUT and PATCH
of sites, settings, slots, bindings, 429s and 504s that cannot be had by asking). They are served here, but compared only by our
own tests.

Two faults of the comparer itself, met while using it:

1. `SITE_ID` is matched on the URI and the body joined without a separator, so that with a pretty-printed body the "site name" runs
   over the query into the body (`webapp1?api-version=2019-08-01{\\r\\n  `). `http.client` refuses that as a URL and the whole run
   ends with a traceback at the first of the two `net_…webapp_start_stop_restart.json`. Excluding `?` and white space from the
   name cures it: the figures above are with that. The other files, run one by one with the comparer unchanged, give the same
   figures: 68 of 99, and 68 of the 68 that do not hang on a missing body.
2. `seen_put` is set for a PUT without a body, too, so that the GETs after it are not provided for as those of other recordings are.
"""

FACTS_HEAD = """## Fact by fact

The collection of facts that the estate was built from, in its order. `file::name` is the test `test_name` in `test_file.py`, below
`tests/estate` or `tests`; a test looks each of them up.
"""

NOT_HERE = """## Not here

* Real User Measurements, Traffic View and its heat maps; deployments of templates; Kudu, publishing, backups, certificates as
  resources; role assignments (one principal with one role, from the settings).
* Quotas and rate limits, but as a fault. Long-running operations other than slot swaps and group deletion.
* Public IP addresses and App Service plans are kept as they are put, not acted on (a plan's tier counts, and an address's name).
* Names are taken only by profiles of the same estate. Everything lives in memory; an estate begins anew each time.
"""


def rendered() -> str:
    """Return docs/fidelity.md."""
    parts = [
        HEAD,
        "## Traffic Manager\n",
        _operations(TRAFFIC_MANAGER),
        "## Web apps\n",
        "Each row holds for slots (`…/slots/{slot}…`), too.\n",
        _operations(op for op in WEB_APPS if "/slots/{slot}" not in op.path),
        "## Resource Manager, tags, graph\n",
        _operations((*RESOURCES, *TAG_ROWS, *PLAIN)),
        "## Behaviours\n",
        _table(("behaviour", "grade", "remark"), BEHAVIOURS),
        "## Data plane\n",
        _table(("behaviour", "grade", "remark"), DATA_PLANE),
        _delays(),
        _faults(),
        _facts(),
        COMPARER,
        NOT_HERE,
    ]
    return "\n".join(parts)


def _operations(operations: Iterable[Operation]) -> str:
    rows = [
        (op.name, f"`{op.method} {_short(op.path)}`", op.grade, "yes" if op.handler else "501", op.note)
        for op in operations
    ]
    return _table(("operation", "call", "grade", "here", "remark"), rows)


def _short(path: str) -> str:
    """Leave out of a path what every path has."""
    return (
        path.replace("/subscriptions/{sub}/resourceGroups/{group}/providers/", "…/")
        .replace("/subscriptions/{sub}/providers/", "/subscriptions/…/")
        .replace("/subscriptions/{sub}/resourceGroups/{group}", "…")
        .replace("/subscriptions/{sub}", "/subscriptions/…")
    )


def _delays() -> str:
    rows = [(f"`{name}`", f"{value:g}", GRADES[name]) for name, value in DelaysConfig().model_dump().items()]
    return (
        "## Delays that Azure does not publish\n\nSettings in `[delays]`, unscaled seconds; `time_scale` divides them.\n\n"
        + _table(("delay", "default", "evidence"), rows)
    )


GRADES = {
    "stop_effect_s": "U: stop is visible within seconds",
    "start_effect_s": "O: about 30 s to 2 minutes were seen; short here, so that a drill is",
    "cold_start_s": "U: seconds for a small app",
    "stopped_signal_s": "O: minutes; D: the signal exists, without a figure",
    "restart_noticed_s": "D: without a figure",
    "dns_propagation_s": "U: 1 to 5 s",
}


def _faults() -> str:
    rows = [(f"`{kind}`", " ".join((cls.__doc__ or "").split())) for kind, cls in sorted(CATALOGUE.items())]
    return "## Faults on request\n\nThrough `POST /_faults`; see estate.md.\n\n" + _table(
        ("kind", "what a client sees"), rows
    )


def _facts() -> str:
    tables = (f"### {title}\n\n{_table(('fact', 'grade', 'proof'), map(_fact, rows))}" for title, rows in FACTS)
    return "\n".join((FACTS_HEAD, *tables))


def _fact(row: tuple[str, str, str]) -> tuple[str, str, str]:
    fact, grade, proof = row
    if proof.startswith(ABSENT):
        return fact, grade, proof
    file, name = proof.split("::")
    return fact, grade, f"`{file.rpartition('/')[2]}::{name}`"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(rendered(), end="")
