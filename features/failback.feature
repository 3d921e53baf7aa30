Feature: Fail back to the primary region
  The return, measured in its own right. Users are first moved to the secondary without loss, and the primary is stopped:
  that is how a failover leaves things. Then they are moved back: the primary's app must answer before names lead there,
  because Traffic Manager serves an endpoint that was just enabled before any probe has passed; and the secondary is stopped
  last, because clients that keep their connections stay with it for as long as it serves.

  Hypothesis: with both regions serving until caches have followed, the return costs each client one request at most.

  Scenario: Users return to the primary region
    Given the estate is in steady state
    And users are being served
    And users have been moved to the secondary region
    When the primary region is enabled
    And DNS is pointed at the primary region
    And names lead to the primary region everywhere
    And caches that honour the TTL have followed
    And the secondary region is disabled
    And the failback to the primary region completes
    Then users are served by the primary region within 30 s
    And the Traffic Manager profile points at the primary region
    And Traffic Manager finds the primary region Online within 60 s
    And DNS answers with the primary region at the authority and at every watched resolver
    And the recovery time is within its objective
    And every user was moved within 60 s
    And the downtime is at most 5 s
    And the drill cost no more than its share of the error budget
    When the estate is put back as it was
    Then the estate is in steady state again
