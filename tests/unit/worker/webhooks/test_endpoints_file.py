"""``FACTUS_WEBHOOKS_FILE``: what it may say, and that a refusal names the field and no secret."""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path

import pytest

from jobs.errors import ConfigurationError
from tests.webhooks_rig import SECRET
from worker.webhooks.endpoints_file import EndpointsFile, read_endpoints

GOOD = f'[endpoints.shop]\nurl = "https://shop.example/hooks?k=v"\nsecrets = ["{SECRET}"]\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "webhooks.toml"
    found.write_text(GOOD)
    return found


def test_defaults_are_those_of_the_contract(path):
    (found,) = read_endpoints(path).values()
    assert (found.name, found.url, found.secrets) == ("shop", "https://shop.example/hooks?k=v", (SECRET,))
    assert (found.types, found.accounts, found.omit) == (("*",), ("*",), (("data", "factus"),))
    assert (found.timeout_s, found.concurrency, found.allow_networks, found.start) == (20.0, 8, (), "new")


def test_everything_can_be_said(path):
    path.write_text(
        GOOD.replace("https", "http")
        + 'types = ["invoice.*", "radian.event"]\naccounts = ["acme"]\nomit = []\ntimeout = "250ms"\nconcurrency = 1\n'
        'allow_networks = ["10.0.0.0/8", "::1/128", "192.168.1.7"]\nallow_http = true\nstart = "all"\n'
    )
    (found,) = read_endpoints(path).values()
    assert (found.types, found.accounts, found.omit) == (("invoice.*", "radian.event"), ("acme",), ())
    assert (found.timeout_s, found.concurrency, found.start) == (0.25, 1, "all")
    assert found.allow_networks == (ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("192.168.1.7/32"))


URL = 'url = "https://shop.example/hooks?k=v"'
BAD = {
    "http": (GOOD.replace("https", "http"), "endpoints.shop: url: starts with https://; http needs allow_http = true"),
    "ftp": (GOOD.replace("https", "ftp"), "endpoints.shop: url: starts with https://"),
    "no scheme": (GOOD.replace("https://", ""), "endpoints.shop: url: starts with https://"),
    "user": (GOOD.replace("shop.example", "u:geheim@shop.example"), "endpoints.shop: url: holds a user or a password"),
    "fragment": (GOOD.replace("?k=v", "#k"), "endpoints.shop: url: has a fragment"),
    "blank": (GOOD.replace("?k=v", " k"), "endpoints.shop: url: holds a character that no URL has"),
    "no host": (GOOD.replace("shop.example", ""), "endpoints.shop: url: names a host that is none"),
    "number": (GOOD.replace("shop.example", "2130706433"), "endpoints.shop: url: names a host that is none"),
    "hex": (GOOD.replace("shop.example", "0x7f.1"), "endpoints.shop: url: names a host that is none"),
    "letters": (GOOD.replace("shop.example", "tiendañ.example"), "endpoints.shop: url: holds a character"),
    "port": (GOOD.replace("shop.example", "shop.example:70000"), "endpoints.shop: url: has a port that is none"),
    "no url": (GOOD.replace(URL, ""), "endpoints.shop lacks url"),
    "no secrets": (f"[endpoints.shop]\n{URL}\n", "endpoints.shop lacks secrets"),
    "empty secrets": (f"[endpoints.shop]\n{URL}\nsecrets = []\n", "endpoints.shop: secrets: "),
    "one secret": (f'[endpoints.shop]\n{URL}\nsecrets = "{SECRET}"\n', "endpoints.shop: secrets: "),
    "short secret": (GOOD.replace(SECRET, "whsec_Z2VoZWlt"), "endpoints.shop: secrets: a secret whsec_ has 24 to 64"),
    "twice": (GOOD.replace(f'"{SECRET}"', f'"{SECRET}", "{SECRET}"'), "endpoints.shop: secrets: a secret stands twice"),
    "typo": (GOOD + "concurency = 3\n", "endpoints.shop: concurency is no setting; did you mean concurrency?"),
    "upper case": (GOOD + "TIMEOUT = 3\n", "endpoints.shop: TIMEOUT is no setting; did you mean timeout?"),
    "streams": (GOOD + "zzz = 3\n", "endpoints.shop: zzz is no setting"),
    "own name": (GOOD + 'name = "x"\n', "endpoints.shop: name is no setting"),
    "types": (GOOD + "types = []\n", "endpoints.shop: types: "),
    "types text": (GOOD + 'types = "invoice.*"\n', "endpoints.shop: types: "),
    "omit": (GOOD + 'omit = ["data..factus"]\n', "endpoints.shop: omit: a place is written with dots"),
    "timeout": (GOOD + "timeout = 0\n", "endpoints.shop: timeout: "),
    "timeout unit": (GOOD + 'timeout = "20"\n', "endpoints.shop: timeout: a duration is a number and"),
    "timeout long": (GOOD + 'timeout = "2m"\n', "endpoints.shop: timeout: "),
    "concurrency": (GOOD + "concurrency = 0\n", "endpoints.shop: concurrency: "),
    "networks": (GOOD + 'allow_networks = ["10.0.0.1/8"]\n', "endpoints.shop: allow_networks: a network is written"),
    "start": (GOOD + 'start = "yesterday"\n', "endpoints.shop: start: "),
    "allow_http": (GOOD + 'allow_http = "yes"\n', "endpoints.shop: allow_http: "),
    "name": (GOOD.replace("shop]", "Shop]"), "endpoints.Shop: name: "),
    "no table": ('[endpoints]\nshop = "x"\n', "endpoints.shop is not a table"),
    "other table": (GOOD + "[endpoint.b]\n", "holds tables named [endpoints.NAME] and nothing else"),
    "empty": ("", "holds tables named [endpoints.NAME] and nothing else"),
    "not TOML": (GOOD + "x = = 1\n", "is not TOML, line 4, column 5"),
    "not UTF-8": (None, "line 1 is not UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_told_in_one_line_with_its_field(path, name):
    text, told = BAD[name]
    path.write_bytes(b'a = "\xff"' if text is None else text.encode())
    with pytest.raises(ConfigurationError) as caught:
        read_endpoints(path)
    message = str(caught.value)
    assert f"FACTUS_WEBHOOKS_FILE: {path}: {told}" in message
    assert "\n" not in message
    for secret in (SECRET, SECRET[6:], "Z2VoZWlt", "geheim"):
        assert secret not in message


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigurationError, match=r"FACTUS_WEBHOOKS_FILE: .*gone.toml: No such file"):
        read_endpoints(tmp_path / "gone.toml")


class TestReadAgain:
    def test_a_change_is_taken_once(self, path):
        file = EndpointsFile.opened(path)
        assert not file.has_changed()
        path.write_text(GOOD.replace("shop]", "other]"))
        assert file.has_changed()
        assert [*file.endpoints] == ["other"]
        assert not file.has_changed()

    def test_a_change_that_says_the_same_is_none(self, path):
        file = EndpointsFile.opened(path)
        path.write_text("# a word\n" + GOOD)
        assert not file.has_changed()

    @pytest.mark.parametrize("text", ["", "x = = 1", GOOD.replace(SECRET, "whsec_Z2VoZWlt")])
    def test_one_that_turns_bad_is_told_once_and_not_taken(self, path, text):
        file = EndpointsFile.opened(path)
        path.write_text(text)
        with pytest.raises(ConfigurationError):
            file.has_changed()
        assert not file.has_changed()
        assert [*file.endpoints] == ["shop"]
        path.write_text(GOOD.replace("shop]", "other]"))
        assert file.has_changed()

    def test_one_that_goes_is_told_and_what_was_taken_stays(self, path):
        file = EndpointsFile.opened(path)
        path.unlink()
        with pytest.raises(ConfigurationError):
            file.has_changed()
        assert [*file.endpoints] == ["shop"]

    def test_a_link_that_is_set_anew_is_a_change(self, path, tmp_path):
        """As container platforms mount files that change."""
        link, other = tmp_path / "link", tmp_path / "other"
        other.write_text(GOOD.replace("shop]", "other]"))
        link.symlink_to(path)
        file = EndpointsFile.opened(link)
        link.unlink()
        link.symlink_to(other)
        os.utime(other, ns=(path.stat().st_mtime_ns,) * 2)
        assert file.has_changed()
