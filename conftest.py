"""What pytest loads here: the plugin, which makes drills of .feature files, and the words that they are written in."""

pytest_plugins = (
    "failover_drill.plugin",
    "steps.estate",
    "steps.failover",
    "steps.dns",
    "steps.traffic",
    "steps.objectives",
    "steps.safety",
    "steps.faults",
    "steps.readiness",
)
