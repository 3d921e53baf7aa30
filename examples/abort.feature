Feature: A drill that ends itself before it costs too much
  The limits of [abort] in drill.toml can be tightened in a playbook. When one is broken no further act runs, the estate is
  put back at once, and users are watched until they are well again: the drill keeps its figures.

  Scenario: The secondary does not take over in time
    Given abort when availability is below 90 % for 2 s
    And abort when recovery takes longer than 120 s
    And abort when the budget spent is above 5 %
    And the estate is in steady state
    And users are being served
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    Then users are served by the secondary region
