"""Covers wire/fault.py: every reason is somebody's fault."""

from llm_canaries.wire.fault import DOMAINS, Domain, FaultReason


def test_every_reason_has_a_domain() -> None:
    assert set(DOMAINS) == set(FaultReason)
    assert set(DOMAINS.values()) == set(Domain) - {Domain.CANARY}
