@estate_only
Feature: Game day: the primary region flaps
  One good probe makes an endpoint Online again, so Traffic Manager leads users back to a region that is about to fail anew.

  Hypothesis: once the operator has stopped the primary and taken it out of DNS, users stay well.

  Scenario: An operator ends the flapping
    Given the estate is in steady state
    And users are being served
    And the secondary region is a hot standby
    When the primary region flaps: 8 s down, 4 s up
    And Traffic Manager finds the primary region Degraded within 60 s
    And the primary region is disabled
    And DNS is pointed at the secondary region
    And the failover to the secondary region completes
    And 15 s pass
    Then users are served by the secondary region
    And the Traffic Manager profile points at the secondary region
    And the recovery time is within its objective
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
