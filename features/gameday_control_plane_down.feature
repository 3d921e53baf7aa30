@estate_only
Feature: Game day: the control plane is down when the region is lost
  Whatever took the region away took Azure Resource Manager's writes with it: nobody can start, stop or enable anything.

  Hypothesis: a hot standby needs no control plane. Monitor and name servers go on, and users are back within the
  recovery time objective.

  Scenario: Users come over without a single change
    Given the estate is in steady state
    And users are being served
    And the secondary region is a hot standby
    And the control plane refuses 100 % of the writes with status 503
    When the primary region is lost
    And the failover to the secondary region completes
    Then users are served by the secondary region
    And the recovery time is within its objective
    And the drill cost no more than its share of the error budget
    When every fault is over
    And the estate is put back as it was
    Then the estate is in steady state again
