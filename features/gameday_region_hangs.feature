@estate_only
Feature: Game day: the primary region hangs
  The region still takes connections and answers nothing, so every client waits for its own timeout and every probe for its.
  Nobody acts.

  Hypothesis: probes that time out are counted as failures, so a hung region is left as one that is lost; and no client that
  keeps its connection stays behind.

  Scenario: Traffic Manager leaves a region that hangs
    Given the estate is in steady state
    And users are being served
    And the secondary region is a hot standby
    When the primary region hangs
    And Traffic Manager finds the primary region Degraded within 60 s
    And the failover to the secondary region completes
    Then users are served by the secondary region
    And the recovery time is within its objective
    And the outage is at most 45 s for keepalive clients
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
