@read_only
Feature: Could we fail over today?
  Preflight's table as scenarios, for a daily run on production: nothing is changed, nothing is locked, no run is kept.

  Scenario: The primary region serves
    Then the primary region answers when asked directly
    And the public name leads to the primary region everywhere

  Scenario: The secondary region could take over
    Then the secondary region could take over
    And both web apps are bound to the public host name
    And the secondary region proves the public host name

  Scenario: Traffic Manager could lead users there
    Then Traffic Manager can fail over
    And the monitor's probe path answers in every running region

  Scenario: It would be quick enough
    Then the TTL of the profile leaves time for the recovery objective
    And a failover is forecast to be within its objective

  Scenario: We may do it, and undo it
    Then a drill may be run here, and undone
