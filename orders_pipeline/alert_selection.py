"""Which alerts are posted: the variable ORDERS_ALERTS."""

from dataclasses import dataclass
from typing import Final, Self

from orders_pipeline.schema import FINDING_KINDS

RUNS: Final = "runs"
CHECKS: Final = "checks"
TICKS: Final = "ticks"
FINDINGS: Final = "findings"
_KINDS: Final = {RUNS, CHECKS, TICKS, FINDINGS, *FINDING_KINDS}  # FINDINGS: those of checks of your own
_NAMES: Final = (RUNS, CHECKS, TICKS, FINDINGS, *FINDING_KINDS)


@dataclass(frozen=True)
class Alerts:
    """The kinds of alerts that are posted: failed runs, failed checks, failing ticks, and findings, by their check."""

    kinds: frozenset[str] = frozenset(_KINDS)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Names with commas between them: `runs,findings`. A name with a minus is left out: `-ids_look_intact` is all
        but these, `findings,-ids_look_intact` all findings but these.

        Raises:
            ValueError: there is no such alert, or none is left.
        """
        names = [name.strip() for name in text.split(",") if name.strip()]
        for name in names:
            if name.removeprefix("-") not in _NAMES:
                raise ValueError(f"there is no alert {name.removeprefix('-')!r}; there are {', '.join(_NAMES)}")
        wanted = {kind for name in names if not name.startswith("-") for kind in _kinds(name)}
        if all(name.startswith("-") for name in names):
            wanted = set(_KINDS)
        kinds = wanted - {kind for name in names if name.startswith("-") for kind in _kinds(name[1:])}
        if not kinds:
            raise ValueError("no alert is left; to turn alerts off, unset ORDERS_ALERT_WEBHOOK_URL")
        return cls(frozenset(kinds))

    def __contains__(self, kind: object) -> bool:
        return (kind if kind in _KINDS else FINDINGS) in self.kinds


def _kinds(name: str) -> set[str]:
    return {FINDINGS, *FINDING_KINDS} if name == FINDINGS else {name}
