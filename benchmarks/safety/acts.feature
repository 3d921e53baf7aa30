Feature: The playbook's acts alone
  Everything that changes the estate and nothing that measures it: for striking often, on a machine that is shared.

  Scenario: The acts and their undo
    Given the estate is in steady state
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    Then the web app runs in the secondary region
    And the web app is stopped in the primary region
    And the Traffic Manager profile points at the secondary region
    When the estate is put back as it was
