Feature: Fail over the web app from the primary region to the secondary
  Proseware runs its web app in two regions, active-passive, behind Traffic Manager, with an
  objective of 99.9 % availability. The playbook has three acts: disable the primary region,
  enable the secondary region, point DNS at it. Users are watched from before the first act
  until after the estate is as it was.

  Scenario: The web app fails over by the playbook
    Given the estate is in steady state
    And users are being served
    When the primary region is disabled
    And the secondary region is enabled
    And DNS is pointed at the secondary region
    And the failover to the secondary region completes
    Then the web app runs in the secondary region
    And the web app is stopped in the primary region
    And the Traffic Manager profile points at the secondary region
    And DNS answers with the secondary region at the authority and at every watched resolver
    And users are served by the secondary region
    And the recovery time is within its objective
    And the data loss is within its objective
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
