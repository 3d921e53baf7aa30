@estate_only
Feature: Game day: the control plane loses its answers
  Every change is carried out, and its answer is lost, as with a gateway that times out; each takes 2 s to take effect.

  Hypothesis: the playbook reads again before it believes that anything failed, so nothing is done twice, and the failover
  is within the recovery time objective all the same.

  Scenario: The web app fails over though no answer comes back
    Given the estate is in steady state
    And users are being served
    And the control plane resets 100 % of the writes after carrying them out
    And the control plane is 2 s late with each change
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    And the failover to the secondary region completes
    Then the web app runs in the secondary region
    And the web app is stopped in the primary region
    And users are served by the secondary region
    And the recovery time is within its objective
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
