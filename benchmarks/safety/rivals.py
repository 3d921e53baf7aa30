"""Two drills at once on one target, from two processes: exactly one may run.

same machine     the kernel's lock on a file decides, before anything is asked
two machines     each with temporary files and reports of its own: the tag of the profile decides
"""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.safety.trial import QUICKER, Found, Strike, settled_state, without_health
from tests.stage import Estate, start_drill

ENDS_S = 150.0


def compete(strike: Strike, estate: Estate, where: Path) -> Found:
    """Start two drills, `after_s` apart; one must carry out the acts, the other refuse, and the estate be as before."""
    found = Found(strike, reached=True)
    before, writes = without_health(settled_state(estate)), len(estate.writes())
    drills = []
    for machine in ("a", "b"):
        (where / machine / "tmp").mkdir(parents=True)
        own = {} if strike.signal == "same machine" else {"TMPDIR": str(where / machine / "tmp")}
        settle = {"FAILOVER_DRILL__SAFETY__LOCK_SETTLE_S": "40"}  # two seconds at the estate's scale, as on Azure
        environment = {**QUICKER, **settle, **own}
        drills.append(start_drill(where / machine, estate.file, "-q", environment=environment, feature=strike.feature))
        time.sleep(strike.after_s)
    outputs = [drill.communicate(timeout=ENDS_S)[0] or "" for drill in drills]
    stops = [w for w in estate.writes()[writes:] if w.endswith("proseware-eastus/stop")]
    refused = sum("another drill" in output for output in outputs)
    if (len(stops), refused) != (1, 1) or any("Traceback" in output for output in outputs):
        said = " | ".join(output.strip()[-300:] for output in outputs)
        found.trouble.append(f"{len(stops)} ran, {refused} refused: {said}")
    if without_health(settled_state(estate)) != before:
        found.trouble.append("drift")
    return found
