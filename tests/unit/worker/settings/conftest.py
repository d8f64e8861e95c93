"""What the tests of the settings share: settings as an environment gives them."""

from __future__ import annotations

import pytest

from worker.settings.environment import load_settings


@pytest.fixture
def load(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def with_variables(**variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return with_variables
