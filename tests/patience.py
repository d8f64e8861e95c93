"""How long a test waits for what must come, and how late a busy machine may be."""

from __future__ import annotations

from typing import Final

PATIENCE_S: Final = 90.0
"""
Far beyond what anything takes on a busy machine, so that a test that fails of it tells of a defect; below the time that
pytest gives a test, so that the test itself says what did not come.
"""

LATE_S: Final = 40.0
"""
How much later than its time something may end that the service ends by its own clock. What the service is to cut off
(``tests/hostile.py``) goes on for 50 s and more, so that a clock that does not work is seen all the same.
"""
