"""analyse(facts, objectives) -> Findings. Pure: same facts, same findings."""

from __future__ import annotations

from failover_drill.findings_form import SCHEMA, Findings, Verdict

__all__ = ["SCHEMA", "Findings", "Verdict"]
