"""Dates and times as Factus writes them: Bogotá time, day first, 12-hour clock."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final

BOGOTA: Final = timezone(timedelta(hours=-5), "America/Bogota")


def at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC).astimezone(BOGOTA)


def latin_date_time(instant: float) -> str:
    """`13-05-2026 08:21:49 AM`."""
    return latin_moment(at(instant))


def latin_moment(moment: datetime) -> str:
    """As latin_date_time, of a moment in Bogotá; built by hand because %p depends on the machine's language."""
    half = "AM" if moment.hour < 12 else "PM"
    return f"{moment:%d-%m-%Y} {(moment.hour % 12) or 12:02d}:{moment:%M:%S} {half}"


def latin_date(iso: str) -> str:
    """`2028-03-25` as `25-03-2028`."""
    year, month, day = iso.split("-")
    return f"{day}-{month}-{year}"


def iso_utc(instant: float) -> str:
    """`2024-09-10T15:30:26Z`, as the account's own records carry it."""
    return f"{datetime.fromtimestamp(instant, UTC):%Y-%m-%dT%H:%M:%SZ}"
