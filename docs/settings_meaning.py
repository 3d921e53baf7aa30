"""What each key of drill.toml means: model, key, one sentence. docs/settings_page.py puts type, limits and default beside it."""

from __future__ import annotations

from collections.abc import Mapping

MEANING: Mapping[str, Mapping[str, str]] = {
    "DrillTable": {
        "name": "runs are kept under *reports*/*name*/",
        "reports": "the directory of all runs; relative to where the drill is started",
        "target": "which `[target.NAME]` is drilled where `--target` does not say",
    },
    "ObjectivesTable": {
        "availability": "percent of requests to be answered well, over the window",
        "window_days": "days over which that is promised; (100 − availability) % of them is the error budget",
        "rto_s": "the recovery time allowed",
        "rpo_s": "the data loss allowed of every target, as time; a target without a `data_probe` is then not drilled",
        "drill_share": "percent of the window's error budget that one drill may cost",
        "stabilisation_s": "availability must hold this long before users count as recovered",
        "judged": "the client populations that recovery and budget are judged on",
    },
    "TrafficTable": {
        "rate": "requests a second, all clients together; the gap between two, 1 / rate, is the grain of every figure",
        "mix": "share of each client population: `[traffic.mix]`",
        "caches": "independent name caches that the clients are spread over",
        "lanes": "virtual clients",
        "workers": "load processes; one sends about 1000 requests a second",
        "timeout_s": "deadline of a whole request, name look-up included",
        "slow_s": "an answer later than this is bad",
        "settle_s": "steady state is watched this long before the first change, and at random up to a TTL, 5 s at most, longer",
        "method": "the HTTP method of every request",
        "paths": "the paths asked for, by weight: `[[traffic.paths]]`",
        "expect_status": 'the good statuses, such as `"200-399,404"`',
        "expect_content": "text that a good answer must hold; none: any",
        "region_header": "the response header that names who answered",
        "ttl_floor_s": "caches keep answers at least this long, as some resolvers do",
        "ttl_overstay_s": "caches keep answers this much beyond their TTL",
        "control_url": "target of the control probe, which no drill may touch; none: a responder inside the load process",
        "seed": "of all chances: the same seed spreads clients over paths and caches alike",
    },
    "MixTable": {
        "fresh": "percent of clients with a new connection for each request, honouring the TTL",
        "keepalive": "percent of clients that keep connections, honouring the TTL",
        "sticky": "percent of clients that resolve the name once",
    },
    "PathTable": {
        "path": "a path of the public host",
        "weight": "how often, beside the others",
    },
    "WatchTable": {
        "dns_interval_s": "how often each name server is asked",
        "monitor_interval_s": "how often Traffic Manager's monitor statuses are read",
        "timeout_s": "how long one look may take",
    },
    "WaitTable": {
        "confirm_s": "for the control plane to show what it was asked for",
        "serve_s": "for a region to serve, or to cease serving",
        "complete_s": "for names to follow, and for users to be served steadily",
        "restore_s": "for one undo to read as wanted",
        "poll_s": "between two looks",
    },
    "SafetyTable": {
        "subscriptions": "the Azure subscriptions that may be drilled; the harness's own estate needs none",
        "kill_switch": "while this file exists no drill begins, and none goes on",
        "lock": 'one drill at a time: by a tag of the profile, or for this machine only (`"local"`)',
        "lock_s": "a lock older than this may be taken over",
        "lock_settle_s": "between writing the lock and reading it again",
        "check_rights": "whether the rights for every undo are read before the first change",
        "doubt_s": "how long after a call of unknown outcome its resource is looked at again",
        "patience_s": "how long a guardian goes on trying",
    },
    "CalendarTable": {
        "timezone": "the zone of the lines below",
        "blocked_dates": 'days without drills: `"2026-12-24"`, `"2026-12-20/2027-01-03"`',
        "blocked_windows": 'hours without drills: `"Fri 16:00-24:00"`, `"Mon-Thu 08:00-10:00"`, `"daily 23:00-01:00"`',
    },
    "AbortTable": {
        "availability_below": "percent; below it, over the time of the next line, the drill ends; none: no such limit",
        "availability_for_s": "the time over which that is looked at",
        "recovery_longer_than_s": "a recovery that takes longer ends the drill; none: no such limit",
        "budget_above": "percent of the window's error budget; more ends the drill; none: no such limit",
    },
    "NotifyTable": {
        "webhook": "gets JSON of its own; an address is a secret: better `FAILOVER_DRILL__NOTIFY__WEBHOOK`",
        "slack": "an incoming webhook of Slack",
        "teams": "a workflow of Teams that takes webhooks",
        "on": "the verdicts that are told",
        "link": "where the report can be read; may hold `{drill}` and `{run}`",
        "timeout_s": "what telling may take, for all addresses together",
    },
    "LocalTarget": {"kind": "the harness starts the local estate, as `[estate]` says"},
    "AzureTarget": {
        "kind": "a pair of web apps behind a Traffic Manager profile",
        "subscription_id": "where they are",
        "profile_resource_group": "the profile's resource group",
        "primary": "`[target.NAME.primary]`: the region that serves now",
        "secondary": "`[target.NAME.secondary]`: the region that takes over",
        "scheme": "how users come",
        "health_path": "asked of each region directly: how the drill tells whether a region serves",
    },
    "AzureRegion": {
        "app": "name of the web app",
        "resource_group": "its resource group",
    },
}
