"""alerts/receivers.py: URLs that are understood, those that are not, and none that is shown."""

import logging

import pytest

from llm_canaries.alerts.receivers import (
    Receiver,
    check,
    receivers_of,
    service_name,
    understood,
    without_secrets,
)
from llm_canaries.config.schema import Config, ReceiverConfig

SECRET = "planted0123456789"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("json://127.0.0.1:8080/path", "JSON"),
        ("jsons://user:password@host/path?rto=3", "JSON"),
        ("json://[::1]:80/", "JSON"),
        ("mailto://user:pass@gmail.com", "E-Mail"),
        ("tgram://123456789:abcdefg_hijklmnop/lead2gold/", "Telegram"),
        ("tgram://123456789:99999999999/lead2gold/?silent=yes", None),  # whatever it is, the port is not to blame
        ("syslog://", "Syslog"),
        ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "Slack"),
    ],
)
def test_urls_that_are_understood(url, name):
    if name is None:
        assert "port" not in (check(url) or "")
    else:
        assert (check(url), service_name(url)) == (None, name)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "is not an Apprise URL; write one such as `json://host/path` or `mailto://user:password@host`"),
        (SECRET, "is not an Apprise URL; write one such as `json://host/path` or `mailto://user:password@host`"),
        (f"://{SECRET}", "is not an Apprise URL; write one such as `json://host/path` or `mailto://user:password@host`"),
        (f"gopher://{SECRET}@host", "names the service `gopher`, which Apprise does not know"),
        (f"mqtt://{SECRET}@host/topic", "names the service `mqtt`, which needs a library that is not installed"),
        (f"http://host/{SECRET}", "is a web address that no service claims; "
         "write `json://…` to have JSON posted to it"),
        (f"https://host/{SECRET}", "is a web address that no service claims; "
         "write `jsons://…` to have JSON posted to it"),
        (f"tgram://{SECRET}", "lacks a part that Telegram needs, or has one of the wrong form; "
         "write it as `tgram://{bot_token}`"),
        ("json://", "lacks a part that JSON needs, or has one of the wrong form; write it as `json://{host}`"),
        ("json://\0", "lacks a part that JSON needs, or has one of the wrong form; write it as `json://{host}`"),
        (f"json://{SECRET}:0/", "has a port that cannot be; ports go from 1 to 65535"),
        (f"json://{SECRET}:99999/", "has a port that cannot be; ports go from 1 to 65535"),
        (f"json://a/{SECRET}, json://b/", "holds more than one URL; write a receiver for each"),
        (f"json://a/{SECRET} json://b/", "holds more than one URL; write a receiver for each"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_without_being_shown(url, problem, capfd):
    shown = []
    handler = logging.Handler()
    handler.emit = lambda record: shown.append(record.getMessage())
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        assert check(url) == problem
    finally:
        root.removeHandler(handler)
    out, err = capfd.readouterr()
    assert SECRET not in out + err + "".join(shown)
    assert understood(Receiver(name="r", url=url)) is None


def test_a_receiver_hides_its_url():
    assert SECRET not in repr(Receiver(name="phone", url=f"json://{SECRET}"))
    assert "phone" in repr(Receiver(name="phone", url=f"json://{SECRET}"))


def test_receivers_come_from_the_configuration():
    wanted = {"url": f"json://{SECRET}", "severity": ("critical",), "timeout": "3s"}
    config = Config.model_construct(receivers={"phone": ReceiverConfig.model_validate(wanted)})
    assert receivers_of(config) == {
        "phone": Receiver(name="phone", url=f"json://{SECRET}", severities=frozenset({"critical"}), timeout=3.0)
    }


def test_a_connection_outlives_the_timeout_threefold_unless_the_url_has_its_own():
    for url, expected in (("json://h/", 7.5), ("json://h/?rto=7", 7.0)):
        notifier = understood(Receiver(name="r", url=url, timeout=2.5))
        (service,) = notifier.services
        assert (service.socket_read_timeout, service.socket_connect_timeout) == (expected, 2.5)


@pytest.mark.parametrize(
    "url",
    [
        f"json://host/{SECRET}",
        f"json://{SECRET}@host/",
        f"json://user:{SECRET}@host/?format=text",
        f"json://host/?+x-key={SECRET}&rto=3",
        f"discord://id12345/{SECRET}",
        f"https://hooks.example.com/{SECRET}?x=1",
        "json://user:pa%24%24w0rd%2Fx@host/",
    ],
)
def test_errors_hold_no_part_of_the_url(url):
    receiver = Receiver(name="r", url=url)
    said = f"Failed at {url}: token {SECRET} and pa$$w0rd/x refused\n\n401"
    told = without_secrets(receiver, said)
    assert SECRET not in told or SECRET not in url
    assert url not in told
    if "pa%24" in url:
        assert "pa$$w0rd/x" not in told
    assert told.endswith("refused 401")
    assert len(without_secrets(receiver, "word " * 1000)) <= 300
