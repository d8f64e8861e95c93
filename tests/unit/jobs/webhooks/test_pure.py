"""What is decided about a delivery: its times, its verdict, its body, where it may go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import ip_network

import pytest

from jobs.webhooks import notices
from jobs.webhooks.addresses import refused_as
from jobs.webhooks.bodies import UnreadableEvent, body_of, read_event
from jobs.webhooks.endpoint import order_of, rank_of
from jobs.webhooks.schedule import STEPS_S, SchedulePolicy
from jobs.webhooks.signing import message_id, signed_text
from jobs.webhooks.verdict import Answer, verdict
from schemas import strict_json
from tests.webhooks_rig import an_endpoint, an_event

HOUR_MS = 3_600_000
POLICY = SchedulePolicy()
MINUTE, HOUR = 60, 3600
PUBLISHED_STEPS = (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)


class TestSchedule:
    """The table of the contract, on a clock that is an argument."""

    @pytest.mark.parametrize(("n", "step_s"), [*enumerate(PUBLISHED_STEPS, 1)])
    def test_each_pause_is_its_step_spread_by_a_fifth(self, n, step_s):
        assert POLICY.delay_s(n, None, lambda: 0.0) == pytest.approx(0.8 * step_s)
        assert POLICY.delay_s(n, None, lambda: 0.5) == pytest.approx(step_s)
        assert POLICY.delay_s(n, None, lambda: 1 - 1e-12) == pytest.approx(1.2 * step_s)

    def test_the_tenth_failure_is_the_last(self):
        assert POLICY.delay_s(len(STEPS_S), None, lambda: 0.5) is not None
        assert POLICY.delay_s(len(STEPS_S) + 1, None, lambda: 0.5) is None

    @pytest.mark.parametrize(
        ("asked_s", "least", "most"),
        [(1, 300, 360), (300, 300, 360), (400, 400, 480), (599, 599, 600), (600, 600, 600), (86_400, 600, 600)],
    )
    @pytest.mark.parametrize("draw", [0.0, 0.5, 0.999])
    def test_what_is_asked_for_is_heeded_between_one_and_two_steps(self, asked_s, least, most, draw):
        """``Retry-After: 1`` does not shorten five minutes, a day does not make a day of them."""
        found = POLICY.delay_s(2, asked_s, lambda: draw)
        assert least <= found <= most

    @pytest.mark.parametrize(
        ("failing_for_h", "gives_up"), [(0, False), (119.9, False), (120, True), (1000, True), (None, False)]
    )
    def test_an_endpoint_is_given_up_after_120_hours_of_failures_alone(self, failing_for_h, gives_up):
        now = 10_000 * HOUR_MS
        since = 0 if failing_for_h is None else now - round(failing_for_h * HOUR_MS)
        assert POLICY.gives_up_endpoint(since, now) is gives_up


def judged(answer, n_failures=0, failing_since_ms=0, now_ms=10_000 * HOUR_MS):
    return verdict(
        answer,
        n_failures=n_failures,
        failing_since_ms=failing_since_ms,
        now_ms=now_ms,
        policy=POLICY,
        draw=lambda: 0.5,
    )


FAULTS = ("address", "name", "connection", "tls", "timeout", "protocol", "lost")


class TestVerdict:
    @pytest.mark.parametrize("status", range(100, 600))
    def test_every_status(self, status):
        found = judged(Answer(status))
        if 200 <= status <= 299:
            assert (found.outcome, found.disables) == ("delivered", "")
        else:
            assert (found.outcome, found.delay_s) == ("again", 5)
            assert found.disables == ("gone" if status == 410 else "")

    @pytest.mark.parametrize("fault", FAULTS)
    def test_every_fault_is_a_failure(self, fault):
        assert judged(Answer(fault=fault)).outcome == "again"

    def test_the_fourth_failure_is_told_and_no_other(self):
        told = [judged(Answer(500), n_failures=n).is_told for n in range(9)]
        assert told == [False, False, False, True, False, False, False, False, False]

    def test_the_tenth_failure_exhausts(self):
        outcomes = [judged(Answer(500), n_failures=n).outcome for n in range(10)]
        assert outcomes == ["again"] * 9 + ["exhausted"]

    def test_gone_disables_also_with_the_last_attempt(self):
        found = judged(Answer(410), n_failures=9)
        assert (found.outcome, found.disables) == ("exhausted", "gone")

    def test_an_endpoint_that_has_only_failed_is_disabled(self):
        now = 10_000 * HOUR_MS
        assert judged(Answer(500), failing_since_ms=now - 120 * HOUR_MS, now_ms=now).disables == "failing"
        assert judged(Answer(500), failing_since_ms=now - 119 * HOUR_MS, now_ms=now).disables == ""
        assert judged(Answer(200), failing_since_ms=now - 500 * HOUR_MS, now_ms=now).disables == ""


REFUSED = {
    "0.0.0.0": "reserved", "10.0.0.1": "private", "100.64.0.1": "private", "127.0.0.1": "loopback",
    "127.255.255.254": "loopback", "169.254.169.254": "link-local", "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "reserved", "192.0.2.1": "reserved", "192.88.99.1": "6to4", "192.168.1.1": "private",
    "198.18.0.1": "reserved", "198.51.100.1": "reserved", "203.0.113.1": "reserved", "224.0.0.1": "multicast",
    "239.255.255.255": "multicast", "240.0.0.1": "reserved", "255.255.255.255": "reserved",
    "::": "reserved", "::1": "loopback", "::7f00:1": "reserved", "::ffff:10.0.0.1": "IPv4-mapped",
    "::ffff:8.8.8.8": "IPv4-mapped", "::ffff:0:8.8.8.8": "IPv4-mapped", "64:ff9b::7f00:1": "NAT64",
    "64:ff9b::808:808": "NAT64", "64:ff9b:1::1": "NAT64", "100::1": "reserved", "2001::1": "reserved",
    "2001:db8::1": "reserved", "2002:7f00:1::": "6to4", "2002:808:808::1": "6to4", "3fff::1": "reserved",
    "5f00::1": "reserved", "fc00::1": "private", "fd00:ec2::254": "private", "fe80::1": "link-local",
    "fe80::1%eth0": "link-local", "2607:f8b0::1%eth0": "link-local", "fec0::1": "private", "ff02::1": "multicast",
    "localhost": "no address", "": "no address", "0x7f.1": "no address", "2130706433": "no address",
}  # fmt: skip


class TestAddresses:
    @pytest.mark.parametrize(("address", "kind"), [*REFUSED.items()])
    def test_what_is_no_public_address_is_refused(self, address, kind):
        assert refused_as(address) == kind

    @pytest.mark.parametrize(
        "address",
        ["8.8.8.8", "1.1.1.1", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1", "223.255.255.255",
         "2607:f8b0:4005:80b::200e", "2a00:1450::1", "2001:4860:4860::8888"],
    )  # fmt: skip
    def test_public_addresses_are_not(self, address):
        assert refused_as(address) == ""

    def test_networks_that_are_allowed_are_taken_as_they_stand(self):
        allowed = (ip_network("10.20.0.0/16"), ip_network("::ffff:10.30.0.0/112"))
        assert refused_as("10.20.3.4", allowed) == ""
        assert refused_as("10.21.0.1", allowed) == "private"
        assert refused_as("::ffff:10.20.3.4", allowed) == "IPv4-mapped", "another form is another address"
        assert refused_as("::ffff:10.30.0.1", allowed) == ""

    def test_no_address_of_the_special_registries_of_the_standard_library_passes(self):
        """Whatever Python's own tables hold not to be global is refused, and more."""
        import ipaddress
        import random

        chance = random.Random(7)
        for _ in range(20_000):
            four = ipaddress.IPv4Address(chance.getrandbits(32))
            six = ipaddress.IPv6Address(chance.getrandbits(128) >> chance.choice([0, 0, 32, 64, 96]))
            for one in (four, six):
                if not one.is_global:
                    assert refused_as(str(one)), one


class TestBodies:
    def event(self, **changes):
        event = an_event("j", **changes)
        raw = event.to_json().encode()
        return raw, read_event(raw)

    def test_without_anything_to_omit_it_is_the_published_bytes(self):
        raw, (_, event) = self.event()
        assert body_of(raw, event, ()) is raw
        assert body_of(raw, event, (("data", "nothing"), ("nothing", "x"))) is raw
        assert body_of(raw, event, (("message", "deeper"),)) is raw

    def test_what_is_omitted_is_gone_and_nothing_else(self):
        raw, (_, event) = self.event()
        found = json.loads(body_of(raw, event, (("data", "factus"), ("metadata",))))
        expected = json.loads(raw)
        del expected["data"]["factus"], expected["metadata"]
        assert found == expected
        assert [*found] == [name for name in json.loads(raw) if name != "metadata"], "in its order"

    def test_through_lists_it_goes_into_each_member(self):
        raw, (_, event) = self.event(data={"items": [{"a": 1, "b": 2}, {"b": 3}, "x", [{"a": 4}]]})
        found = json.loads(body_of(raw, event, (("data", "items", "a"),)))
        assert found["data"] == {"items": [{"b": 2}, {"b": 3}, "x", [{}]]}

    def test_numbers_keep_every_digit(self):
        metadata = {
            "exact": Decimal("0.1000000000000000055511151231257827"),
            "large": 2**200,
            "small": Decimal("1E-300"),
        }
        raw, (_, event) = self.event(metadata=metadata)
        assert strict_json.parse(body_of(raw, event, (("data",),)))["metadata"] == metadata

    @pytest.mark.parametrize(
        "raw",
        [b"", b"{}", b"[]", b"\xff", b'{"id":1,"type":"x"}', b'{"id":"x"}', b"[" * 100_000, b'{"id":"a","type":2}'],
    )
    def test_what_is_no_event_is_told(self, raw):
        with pytest.raises(UnreadableEvent):
            read_event(raw)

    def test_a_head_reads_what_may_be_null(self):
        """Operator events have no job; what they are about is named in their data."""
        event = notices.failing_event(
            notices.About("shop", 5, 1, 500), Answer(500), message="msg_x", attempts=4, now=datetime.now(UTC)
        )
        head, _ = read_event(event.to_json().encode())
        assert (head.job_id, head.account, head.about) == ("", "", "shop")


class TestEndpoint:
    def head(self, **changes):
        return read_event(an_event(**changes).to_json().encode())[0]

    @pytest.mark.parametrize(
        ("types", "accounts", "takes"),
        [
            (("*",), ("*",), True),
            (("invoice.*",), ("ac*",), True),
            (("*.validated",), ("acme",), True),
            (("invoice.rejected", "invoice.validated"), ("*",), True),
            (("Invoice.*",), ("*",), False),
            (("invoice",), ("*",), False),
            (("*",), ("acm",), False),
            (("credit_note.*",), ("*",), False),
        ],
    )
    def test_types_and_accounts_are_globs(self, types, accounts, takes):
        assert an_endpoint(types=types, accounts=accounts).takes(self.head()) is takes

    def test_events_of_no_account_match_all_accounts_alone(self):
        head = self.head(account=None)
        assert an_endpoint().takes(head)
        assert not an_endpoint(accounts=("acme",)).takes(head)

    def test_it_is_not_told_of_itself(self):
        """A failure would make a delivery, which fails, which makes one ..."""
        event = notices.disabled_event(notices.About("shop", 5, 1, 500), "gone", now=datetime.now(UTC))
        head, _ = read_event(event.to_json().encode())
        assert not an_endpoint("shop").takes(head)
        assert an_endpoint("other").takes(head)

    def test_repr_tells_no_secret_and_no_url(self):
        shown = repr(an_endpoint(url="https://x/token-1"))
        assert "whsec_" not in shown
        assert "token-1" not in shown


class TestIds:
    def test_the_id_is_of_the_event_alone(self):
        found = message_id("acme/erp-invoice.issue-1/1")
        assert found == "msg_" + __import__("hashlib").sha256(b"acme/erp-invoice.issue-1/1").hexdigest()[:32]
        assert "." not in found

    def test_what_is_signed(self):
        assert signed_text("msg_1", 123, b'{"a":1}') == b'msg_1.123.{"a":1}'

    def test_ranks_of_a_job_are_in_the_order_of_seq(self):
        heads = [read_event(an_event("j", seq).to_json().encode())[0] for seq in (1, 2, 9, 10, 11, 100)]
        ranks = [rank_of(head, "msg_x") for head in heads]
        assert ranks == sorted(ranks)
        assert len({order_of(head) for head in heads}) == 1

    def test_events_of_no_job_wait_for_none(self):
        events = [an_event().model_copy(update={"id": f"x/{n}", "job_id": None, "account": None}) for n in range(2)]
        heads = [read_event(event.to_json().encode())[0] for event in events]
        assert len({order_of(head) for head in heads}) == 2
