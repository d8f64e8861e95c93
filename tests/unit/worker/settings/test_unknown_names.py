"""Variables that mean nothing, and what a child process is given."""

from __future__ import annotations

from worker.settings.environment import environment_for_child, nearest_variables, unknown_variables


def test_a_misspelt_variable_is_found(load):
    assert unknown_variables({"FACTUS_REDIS_ULR": "x", "FACTUS_TIMEOUT": "1s", "PATH": "/"}) == ["FACTUS_REDIS_ULR"]


def test_a_child_gets_the_given_settings_and_none_of_ours(monkeypatch):
    """Production credentials of the caller must not reach a demo's worker."""
    monkeypatch.setenv("FACTUS_PASSWORD", "p4ssw0rd")
    monkeypatch.setenv("FACTUS_TYPO", "x")
    monkeypatch.setenv("PATH", "/bin")
    found = environment_for_child(FACTUS_REDIS_URL="embedded:x")
    assert (found["PATH"], found["FACTUS_REDIS_URL"]) == ("/bin", "embedded:x")
    assert [name for name in found if name.startswith("FACTUS_")] == ["FACTUS_REDIS_URL"]


def test_names_that_mean_nothing_are_told_with_the_nearest(load, tmp_path):
    (tmp_path / ".env").write_text("FACTUS_RATELIMIT=1\nOTHER=2\nFACTUS-TIMEOUT=3s\n")
    load(FACTUS_REDIS_ULR="x", FACTUS_ZZZ="y")
    found = unknown_variables()
    assert found == ["FACTUS-TIMEOUT", "FACTUS_RATELIMIT", "FACTUS_REDIS_ULR", "FACTUS_ZZZ"]
    assert nearest_variables(found) == [
        "FACTUS-TIMEOUT is no setting; did you mean FACTUS_TIMEOUT?",
        "FACTUS_RATELIMIT is no setting; did you mean FACTUS_RATE_LIMIT?",
        "FACTUS_REDIS_ULR is no setting; did you mean FACTUS_REDIS_URL?",
        "FACTUS_ZZZ is no setting",
    ]
