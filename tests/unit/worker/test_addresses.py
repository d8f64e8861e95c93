"""Addresses: what is taken, what is refused with a word on what is right, and what is shown of them."""

from __future__ import annotations

import pytest

from worker.addresses import environment_of, factus_address, redis_address, shown


@pytest.mark.parametrize(
    ("given", "used", "environment"),
    [
        ("https://api.factus.com.co", "https://api.factus.com.co", "production"),
        ("https://api.factus.com.co/", "https://api.factus.com.co", "production"),
        ("https://api.factus.com.co///", "https://api.factus.com.co", "production"),
        ("HTTPS://API.Factus.com.co", "https://api.factus.com.co", "production"),
        ("https://api.factus.com.co:443", "https://api.factus.com.co", "production"),
        ("https://api-sandbox.factus.com.co", "https://api-sandbox.factus.com.co", "sandbox"),
        ("http://127.0.0.1:8400", "http://127.0.0.1:8400", "local"),
        ("http://127.9.9.9", "http://127.9.9.9", "local"),
        ("http://localhost:80", "http://localhost", "local"),
        ("http://[::1]:8400/", "http://[::1]:8400", "local"),
        ("http://[fd00::5]", "http://[fd00::5]", "local"),
        ("http://10.1.2.3", "http://10.1.2.3", "local"),
        ("http://172.31.0.1", "http://172.31.0.1", "local"),
        ("http://192.168.1.1:1", "http://192.168.1.1:1", "local"),
        ("http://sandbox:8400", "http://sandbox:8400", "local"),
        ("http://factus_sandbox:8400", "http://factus_sandbox:8400", "local"),
        ("http://host.docker.internal:8400", "http://host.docker.internal:8400", "local"),
        ("https://example.com:8443", "https://example.com:8443", "local"),
        ("https://api.factus.com.co.example.com", "https://api.factus.com.co.example.com", "local"),
        ("https://xn--fctus-yra.com", "https://xn--fctus-yra.com", "local"),
    ],
)
def test_a_base_url_is_scheme_host_and_port(given: str, used: str, environment: str) -> None:
    assert factus_address(given) == used
    assert environment_of(used) == environment


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("https://api.factus.com.co/v1", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co/v2/", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co/api/", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co//v1", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co?x=1", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co/?", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co#", "the right value is https://api.factus.com.co"),
        ("https://api.factus.com.co\\v1", "the right value is https://api.factus.com.co"),
        ("http://127.0.0.1:8400/v2", "the right value is http://127.0.0.1:8400"),
        ("http://api.factus.com.co", "starts with https://api.factus.com.co"),
        ("http://8.8.8.8", "starts with https://8.8.8.8"),
        ("http://172.32.0.1", "clear text"),
        ("http://[2001:db8::1]", "clear text"),
        ("http://[::ffff:8.8.8.8]", "clear text"),
        ("http://localhost.example.com", "clear text"),
        ("http://2130706433", "a host that is none"),
        ("http://134744072", "a host that is none"),
        ("http://0x08080808", "a host that is none"),
        ("http://127.1", "a host that is none"),
        ("https://user:s3cr3t@api.factus.com.co", "holds a user or a password"),
        ("https://api.factus.com.co\\@evil.example", "holds a user or a password"),
        ("https://s3cr3t/x@api.factus.com.co", "holds a user or a password"),
        ("https://api.factus.com.co:0", "a port that is none"),
        ("https://api.factus.com.co:99999", "a port that is none"),
        ("https://api.factus.com.co:", "a port that is none"),
        ("https://api.factus.com.co:80x", "a port that is none"),
        ("https://api.factus.com.co:-1", "a port that is none"),
        ("https://fáctus.com", "a host that is none"),
        ("https://api.factus.com.co.", "a host that is none"),
        ("https://-x.com", "a host that is none"),
        ("https://" + "a" * 300, "a host that is none"),
        ("https://[::1", "names no host"),
        ("https://::1", "a port that is none"),
        ("https://[::zz]", "a host that is none"),
        ("https://[fe80::1%25eth0]", "a host that is none"),
        ("https://", "a host that is none"),
        ("https:///v1", "a host that is none"),
        ("https:/api.factus.com.co", "starts with https://"),
        ("api.factus.com.co", "starts with https://"),
        ("ftp://api.factus.com.co", "starts with https://"),
        ("javascript:alert(1)", "starts with https://"),
        ("https://api.factus\n.com.co", "a line break"),
        ("https://api.fac\ttus.com.co", "a line break"),
        ("https://api.factus .com.co", "a blank"),
        ("https://api\u202e.factus.com.co", "a control character"),
    ],
)
def test_anything_else_is_refused_with_what_is_right(given: str, told: str) -> None:
    with pytest.raises(ValueError) as raised:
        factus_address(given)
    assert told in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379"),
        ("redis://redis", "redis://redis:6379"),
        ("redis://h/7", "redis://h:6379/7"),
        ("rediss://u:s3cr3t@h:6380/2?ssl_ca_certs=/etc/ca.crt", "rediss://h:6380/2"),
        ("redis://:s3cr3t@h", "redis://h:6379"),
        ("redis://h/0?password=s3cr3t", "redis://h:6379"),
        ("redis://h?username=u&password=s3cr3t&db=3", "redis://h:6379/3"),
        ("redis://[::1]:1/0", "redis://::1:1"),
        ("unix:///run/v.sock", "unix:///run/v.sock"),
        ("unix://u:s3cr3t@/run/v.sock?db=0", "unix:///run/v.sock"),
        ("sentinel://u:s3cr3t@a:1,b/main/2?sentinel_password=s3cr3t", "sentinel://a:1,b:26379/main/2"),
        ("sentinel://a/main?ssl=true", "sentinel://a:26379/main"),
        ("embedded:./data", "embedded:./data"),
    ],
)
def test_a_redis_url_is_shown_without_user_password_and_query(given: str, seen: str) -> None:
    assert shown(given) == seen
    assert "s3cr3t" not in repr(redis_address(given))


def test_user_and_password_come_from_either_place() -> None:
    assert redis_address("redis://u:p%40%2F@h/0").password == "p@/"
    assert redis_address("redis://h/0?username=u&password=p").username == "u"


@pytest.mark.parametrize(
    "given",
    [
        "redis://:s3c/r3t@h/0",
        "redis://:s3c#r3t@h/0",
        "redis://:s3c?r3t@h/0",
        "redis://u:s3c@r3t@h/0",
        "redis://u:123/s3cr3t@h/0",
        "redis://:s3cr3t[@h/0",
        "redis://u:s3cr3t@h:0/0",
        "redis://u:s3cr3t@h:99999",
        "redis://u:s3cr3t@h:x",
        "redis://u:s3cr3t@/0",
        "redis://u:s3cr3t@h/x",
        "redis://u:s3cr3t@h/99999999",
        "redis://u:s3cr3t@h/0?socket_timeout=abc",
        "redis://h/0?s3cr3t",
        "redis://h/0?db=s3cr3t",
        "rediss://h/0?ssl_check_hostname=false&password=s3cr3t",
        "rediss://h/0?ssl_cert_reqs=none&password=s3cr3t",
        "redis://u:s3cr3t@h\n/0",
        "redis://u:s3 cr3t@h/0",
        "unix://s3cr3t",
        "unix://u:s3cr3t@",
        "sentinel://u:s3cr3t@a",
        "sentinel://u:s3cr3t@a:x/main",
        "sentinel://u:s3cr3t@/main",
        "sentinel://a/main?ssl=s3cr3t",
        "http://u:s3cr3t@h",
        "s3cr3t",
        "redis:s3cr3t",
        "redis:///s3cr3t",
        "embedded:",
        "",
    ],
)
def test_a_redis_url_that_cannot_be_used_tells_nothing_of_itself(given: str) -> None:
    with pytest.raises(ValueError) as raised:
        redis_address(given)
    assert "s3c" not in str(raised.value)
    assert "r3t" not in str(raised.value)
    assert "s3c" not in shown(given)
    assert "r3t" not in shown(given)
