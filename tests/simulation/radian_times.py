"""RADIAN's clock in seconds, for simulations: the hours of the day are no part of a seed."""

from __future__ import annotations

from typing import Final

from jobs.radian_policy import RadianTimes

HURRIED: Final = RadianTimes(
    emit_from_hour=0, emit_until_hour=24, confirm_s=0.3, resend_after_s=4.0, unconfirmed_after_s=25.0
)
"""
034 goes out at any time, and is waited for by seconds. ``resend_after_s`` stays above the time after which a request
that was given up may still arrive at Factus.
"""

PERSON: Final = {
    "identification_document_code": "13",
    "identification": "1088888888",
    "first_name": "Ana",
    "last_name": "Gómez",
}
"""Who declares the tacit acceptance."""
