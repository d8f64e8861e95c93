"""What leaves the process in a log line, and what does not."""

from __future__ import annotations

import structlog

from worker.logs import ALLOWED_KEYS, frames_only, keep_allowed


def test_keys_that_nobody_allowed_are_dropped_and_the_gap_is_told():
    line = keep_allowed(None, "info", {"event": "x", "account": "acme", "payload": "secret", "token": "t"})
    assert line == {"event": "x", "account": "acme", "detail": "keys not logged: payload, token"}


def test_an_exception_is_told_without_its_words():
    """Its message may quote a payload."""
    try:
        raise ValueError("Nombre Muy Personal")
    except ValueError as exc:
        line = frames_only(None, "error", {"event": "x", "exc_info": exc})
    assert line["exception"][0] == "ValueError"
    assert "test_logs.py" in line["exception"][1]
    assert "Personal" not in str(line)


def test_every_key_that_the_code_logs_is_allowed():
    """A key that is dropped is a fact that the person on call will miss."""
    import ast
    from pathlib import Path

    root = Path(__file__).parents[3]
    used = set()
    for path in [*root.glob("worker/**/*.py"), *root.glob("jobs/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_log(node.func):
                used |= {keyword.arg for keyword in node.keywords if keyword.arg}
    assert used - ALLOWED_KEYS == {"exc_info"}, "it becomes places (frames_only)"


def is_log(func) -> bool:
    names = {"debug", "info", "warning", "error", "exception", "bound_contextvars"}
    return func.attr in names and getattr(func.value, "id", getattr(func.value, "attr", "")) in {"log", "contextvars"}


def test_context_is_bound_for_every_line_of_an_attempt():
    bound = structlog.contextvars.bound_contextvars(job_id="j")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines, bound:
        structlog.get_logger().info("attempt.finished")
    assert lines == [{"event": "attempt.finished", "job_id": "j", "log_level": "info"}]


def test_every_event_stands_in_the_document_and_the_document_names_no_other():
    import re
    from pathlib import Path

    root = Path(__file__).parents[3]
    source = "".join(path.read_text() for path in root.glob("worker/**/*.py"))
    logged = set(re.findall(r"\.(?:debug|info|warning|error|exception)\(\s*\"([a-z]+\.[a-z_]+)\"", source))
    document = (root / "docs" / "events.md").read_text()
    assert logged == set(re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", document, re.MULTILINE))
