@estate_only
Feature: Survive the loss of the primary region without anybody acting
  The secondary stands by hot: its app runs and its endpoint is enabled, second in priority. Then the primary region's
  process is lost for real. Nobody acts: Traffic Manager's monitor has to notice, and names have to follow.

  Hypothesis: a hot standby, probed every 10 s with 3 failures tolerated, brings users back within the recovery time
  objective, and the loss costs no more than a drill may.

  Scenario: Traffic Manager fails over by itself
    Given the estate is in steady state
    And users are being served
    And the secondary region is a hot standby
    When the primary region is lost
    And Traffic Manager finds the primary region Degraded within 60 s
    And the failover to the secondary region completes
    Then users are served by the secondary region
    And DNS answers with the secondary region at the authority and at every watched resolver
    And the recovery time is within its objective
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
