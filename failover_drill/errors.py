"""Everything that can go wrong with the harness, as one tree. Failures of the *system* are samples, not exceptions.

    DrillError                 catch this to catch the weather without catching our bugs
    ├── SettingsError          drill.toml, a flag or the environment is wrong; nothing was done
    ├── Unsafe                 a guard refused before anything was touched
    ├── PlatformError          a control-plane call failed (operation, resource id, whether the outcome is known)
    ├── EstateError            the local estate could not be started or reached
    │   └── EstateSilent       it did not answer: nobody knows whether it did what it was asked for
    ├── JournalError           a run's record is missing, torn or tampered with
    ├── Interrupted            the drill was told to stop, and stops after undoing what it did
    │   └── Aborted            an abort condition or the kill switch told it
    └── ObjectiveNotMet        the verdict of the drill is MISSED
        └── Inconclusive       the verdict of the drill is INCONCLUSIVE

Every message is one line and says what would be right.
"""

from __future__ import annotations


class DrillError(Exception):
    """The root: something a person can act on, in one line."""


class SettingsError(DrillError):
    """A setting is wrong. Names file, key, value, and what would be right."""


class Unsafe(DrillError):
    """Refused before acting."""


class PlatformError(DrillError):
    """A control-plane call failed.

    `operation` and `resource_id` say which; `outcome_known` is False where the change may have happened all the same
    (timeout, reset): then the state must be read again before anything else is decided.
    """

    def __init__(self, message: str, *, operation: str, resource_id: str, outcome_known: bool = True) -> None:
        super().__init__(message)
        self.operation = operation
        self.resource_id = resource_id
        self.outcome_known = outcome_known


class EstateError(DrillError):
    """The local estate could not be started or reached."""


class EstateSilent(EstateError):
    """The local estate did not answer: what it was asked for may have happened."""


class JournalError(DrillError):
    """A run's record is missing, torn or tampered with."""


class Interrupted(DrillError):
    """A signal, or a second thought, ended the drill."""


class Aborted(Interrupted):
    """An abort condition was met, or drills were stopped from outside. The message says which."""


class ObjectiveNotMet(DrillError):
    """The drill's verdict is MISSED; the message carries the reasons."""


class Inconclusive(ObjectiveNotMet):
    """The drill's verdict is INCONCLUSIVE; the message says what could not be told."""
