@estate_only
Feature: Game day: the primary region fails a fifth of its requests
  Too little for the monitor, which wants several failures in a row, and far too much for an objective of 99.9 %.

  Hypothesis: Traffic Manager does not help here, the playbook does: an operator who sees the errors brings users to the
  secondary within the recovery time objective. The primary is stopped, though most of it works: clients that keep their
  connections would stay with it, whatever DNS says.

  Scenario: An operator fails over what the monitor calls healthy
    Given the estate is in steady state
    And users are being served
    When the primary region answers 20 % of its requests with status 503
    And 5 s pass
    Then Traffic Manager finds the primary region Online
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    And the failover to the secondary region completes
    Then users are served by the secondary region
    And the recovery time is within its objective
    And availability over the drill is at least 75 %
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
