"""Steps about faults: what the local estate does wrong on request. For scenarios tagged @estate_only: Azure cannot.

A fault is over when the estate is put back, whatever ends the drill. One that users feel at once begins the recovery time.
"""

from __future__ import annotations

from pytest_bdd import given, when

from failover_drill.drill import Drill
from failover_drill.faults import Fault
from failover_drill.target import Role
from steps.phrases import words

# ---- regions


@when(words("the {role} region is lost"))
def region_is_lost(drill: Drill, role: Role) -> None:
    """The region's process is killed: connections are refused."""
    drill.inject(Fault("region_lost", role))


@when(words("the {role} region hangs"))
def region_hangs(drill: Drill, role: Role) -> None:
    """Connections are accepted, and nothing is answered: the outage that clients notice last."""
    drill.inject(Fault("region_hung", role))


@when(words("the {role} region answers {late} s late"))
def region_is_slow(drill: Drill, role: Role, late: float) -> None:
    """Each answer is right, and comes so much later."""
    drill.inject(Fault("slow", role, {"slow_s": late}))


@when(words("the {role} region answers {share} % of its requests with status {status}"))
def region_errs(drill: Drill, role: Role, share: float, status: int) -> None:
    """A share of all requests fails, the monitor's probes included."""
    drill.inject(Fault("erroring", role, {"status": status}, share / 100))


@when(words("the {role} region flaps: {down} s down, {up} s up"))
def region_flaps(drill: Drill, role: Role, down: float, up: float) -> None:
    """It answers 503, then well, and so on: the monitor may call it well again in between."""
    drill.inject(Fault("flapping", role, {"up_s": up, "down_s": down}))


# ---- names


@given(words("for {seconds} s the name servers go on answering what they answer now"))
def names_are_stale(drill: Drill, seconds: float) -> None:
    """No change of profile or health reaches DNS meanwhile."""
    drill.inject(Fault("dns_stale", None, {"duration_s": seconds}))


@when(words("the name servers are silent for {seconds} s"))
def names_are_silent(drill: Drill, seconds: float) -> None:
    """Questions to the authority are read and never answered; caches live on what they have."""
    drill.inject(Fault("dns_silent", None, {"duration_s": seconds}))


@given(words("resolvers keep answers {seconds} s longer than the TTL"))
def resolvers_overstay(drill: Drill, seconds: float) -> None:
    """The estate's caching resolvers overstay, as some real ones do."""
    drill.inject(Fault("resolver_overstays", None, {"overstay_s": seconds}))


# ---- control plane and identity


@given(words("the control plane throttles {share} % of the calls"))
def calls_are_throttled(drill: Drill, share: float) -> None:
    """429 SubscriptionRequestsThrottled, and nothing is carried out."""
    drill.inject(Fault("control_throttled", None, {"retry_after_s": 1}, share / 100))


@given(words("the control plane refuses {share} % of the writes with status {status}"))
def writes_fail(drill: Drill, share: float, status: int) -> None:
    """500, 502 or 503, and nothing is carried out. Reads go on."""
    drill.inject(Fault("control_failing", None, {"status": status, "only": "writes"}, share / 100))


@given(words("the control plane resets {share} % of the writes after carrying them out"))
def answers_are_lost(drill: Drill, share: float) -> None:
    """The change is made, and its answer lost: nobody knows until the state is read again."""
    drill.inject(Fault("control_reset_after", None, {}, share / 100))


@given(words("the control plane is {late} s late with each change"))
def changes_are_late(drill: Drill, late: float) -> None:
    """Accepted and shown at once, but front ends, monitor and DNS follow so much later."""
    drill.inject(Fault("control_slow_effect", None, {"effect_s": late}))


@when("every fault is over")
def faults_end(drill: Drill) -> None:
    """End what this scenario injected, before the end of the drill."""
    drill.end_faults()
