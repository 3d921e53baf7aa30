Feature: A check of our own
  Playbooks are written in failover-drill's words and in those of steps/our_steps.py. This one changes nothing.

  Scenario: The primary is where it should be
    Given the estate is in steady state
    And users are being served
    Then our primary region is where we think it is
