@estate_only
Feature: Game day: names follow late
  The name servers go on with what they answered before for 15 s, and a resolver keeps answers 5 s longer than it may.

  Hypothesis: the recovery time objective has room for names that are late, for every client that honours the TTL.

  Scenario: The web app fails over while names lag behind
    Given the estate is in steady state
    And users are being served
    And resolvers keep answers 5 s longer than the TTL
    And for 15 s the name servers go on answering what they answer now
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    And the failover to the secondary region completes
    Then users are served by the secondary region
    And the TTL of the profile is at most 20 s
    And the recovery time is within its objective
    And the outage is at most 45 s for fresh clients
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
