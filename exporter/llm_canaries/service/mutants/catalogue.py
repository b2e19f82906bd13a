"""Every mutant there is: a name, the model that shows it or the bend that does, and what it must be caught as."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Struct

from llm_canaries.mirror.misbehaviour import MISBEHAVIOURS, Service
from llm_canaries.proxy.gateway import Gateway
from llm_canaries.service.mutants.core import CORE_MUTANTS
from llm_canaries.service.mutants.deployed import DEPLOYED, DeployedMutant
from llm_canaries.service.mutants.drift import DRIFTS, Drift
from llm_canaries.service.mutants.expected import EXPECTED, RUNS
from llm_canaries.service.mutants.expected_loopback import Catches

HEALTHY = "healthy"
_WAITING = frozenset({Service.HANG, Service.HANG_MIDWAY, Service.SLOW, Service.BUFFERED})


class Mutant(Struct, frozen=True, kw_only=True):
    """One fault, or one control: `model` at the mirror behind a core that `bend` bends, asked `runs` times a case.

    `deployed`: the core is a gateway of its own, with a twin, and whose fault it is must be found as well. `drift`: no
    gateway is asked at all, but a model without a network, over days of a stepped clock; alerts are verdicts, too.
    """

    name: str
    help: str
    model: str
    bend: Callable[[Gateway], Gateway]
    expected: Catches
    runs: int = 1
    control: bool = False
    waits: bool = False
    heavy: bool = False
    deployed: DeployedMutant | None = None
    drift: Drift | None = None


def catalogue() -> Sequence[Mutant]:
    """The mutants, those that take time first."""
    found = [
        Mutant(
            name=name,
            help=row.help,
            model=name,
            bend=_sound,
            expected=EXPECTED.get(name, {}),
            runs=RUNS.get(name, 1),
            control=name == HEALTHY,
            waits=row.service in _WAITING,
            heavy=row.service is Service.BIG_BODY,
        )
        for name, row in MISBEHAVIOURS.items()
    ] + [
        Mutant(
            name=name,
            help=row.help,
            model=HEALTHY,
            bend=row.bend,
            expected=EXPECTED.get(name, {}),
            runs=RUNS.get(name, 1),
            control=row.control,
        )
        for name, row in CORE_MUTANTS.items()
    ] + [
        Mutant(
            name=name,
            help=row.help,
            model=row.model,
            bend=row.bend,
            expected=row.expected,
            control=row.control,
            deployed=row,
        )
        for name, row in DEPLOYED.items()
    ] + [
        Mutant(
            name=name,
            help=row.help,
            model=HEALTHY,
            bend=_sound,
            expected=row.expected,
            control=row.control,
            heavy=True,
            drift=row,
        )
        for name, row in DRIFTS.items()
    ]
    return sorted(found, key=lambda mutant: not mutant.waits)


def _sound(gateway: Gateway) -> Gateway:
    return gateway


class Caught(Struct, frozen=True, kw_only=True):
    """What became of one mutant: the verdicts that were found, and those that should have been (both by scenario)."""

    mutant: Mutant
    found: Mapping[str, Mapping[str, int]]
    expected: Catches

    @property
    def exact(self) -> bool:
        """Whether every verdict is the one declared, and none is there that is not."""
        return {name: dict(each) for name, each in self.found.items()} == {
            name: dict(each) for name, each in self.expected.items()
        }

    @property
    def missed(self) -> bool:
        """Whether a fault was there and nobody said so; a skip says nothing."""
        said = any(not reason.startswith("(") for reasons in self.found.values() for reason in reasons)
        return not self.mutant.control and not said

    @property
    def wrong(self) -> bool:
        """Whether somebody said something else than was declared; of a control, anything at all."""
        return not self.missed and not self.exact

    @property
    def differences(self) -> list[str]:
        """In words, scenario by scenario, what was to be found and what was."""
        names = [*self.expected, *(name for name in self.found if name not in self.expected)]
        return [
            f"{name}: expected {_told(self.expected.get(name, {}))}, found {_told(self.found.get(name, {}))}"
            for name in names
            if dict(self.expected.get(name, {})) != dict(self.found.get(name, {}))
        ]


def compared(mutant: Mutant, found: Mapping[str, Mapping[str, int]], without: Collection[str]) -> Caught:
    """What was found held against what is declared, scenarios that are switched off left out."""
    expected = {name: each for name, each in mutant.expected.items() if name not in without}
    return Caught(mutant=mutant, found=found, expected=expected)


def _told(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in verdicts.items()) or "nothing"
