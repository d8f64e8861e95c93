"""
pydantic's findings told in our words: each error type becomes a rule id, a path and a Spanish message.

Also takes the refused values out of a copy of the payload, so that the rules can still judge the rest and all faults
are told at once. Reached for faulty payloads only; nothing here is on the quick path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas import money
from schemas.catalogs import version_1
from schemas.payload import messages
from schemas.payload.findings import Violation
from schemas.payload.shape import FieldShape, Shape

MAX_EXPLAINED: Final = 1_000
"""Beyond this many findings the payload is cut before it is looked at again: a list of empty objects has millions."""

_NAMES_OF_VERSION_1: Final = 2
"""One may be a slip; so many different ones are a document written for version 1."""

_CUT_ELEMENTS: Final = 20
_CUT_KEYS: Final = 100

Location: TypeAlias = tuple[int | str, ...]
Teller: TypeAlias = Callable[[FieldShape, str, Mapping[str, Any]], Violation]


class Explained(NamedTuple):
    """A validation error in our words."""

    faults: list[Violation]
    sound: dict[str, Any]
    """A copy of the payload without the refused values, in which elements of lists are replaced by None so that
    positions stay true."""
    is_whole: bool
    """Whether that is all of it: of a payload with more than MAX_EXPLAINED findings only a part is looked at, and the
    copy is no base for further checks."""
    spoken_for: frozenset[str]
    """Paths of keys that are there under their name of version 1: nobody needs to hear that they are missing."""


def explain(error: ValidationError, shape: Shape, payload: dict[str, Any]) -> Explained:
    """Tell a validation error."""
    is_whole = error.error_count() <= MAX_EXPLAINED
    if not is_whole:
        payload, error = _smaller(shape, payload, error)
    details = error.errors(include_url=False)[:MAX_EXPLAINED]
    old_names, spoken_for = _of_version_1(details, shape)
    sound = _copy(payload)
    faults: dict[Violation, None] = {}
    if len(old_names) >= _NAMES_OF_VERSION_1:
        faults[messages.is_of_version_1()] = None
    for found in details:
        location = found["loc"]
        if found["type"] != "missing" or _path(location) not in spoken_for:
            faults[_tell(shape, location, found)] = None
    for found in details:
        if found["type"] != "missing":
            _take_out(sound, found["loc"])
    return Explained(list(faults), sound, is_whole, spoken_for)


def _of_version_1(details: Sequence[ErrorDetails], shape: Shape) -> tuple[frozenset[str], frozenset[str]]:
    """The names of version 1 among unknown keys, and the paths of what they are now."""
    names, paths = set(), set()
    for found in details:
        *above, key = found["loc"] or ("",)
        is_root = not above
        if found["type"] != "extra_forbidden" or not version_1.is_name(str(key), is_root=is_root):
            continue
        names.add(str(key))
        meant = version_1.meant(str(key), _shape_at(shape, tuple(above)).fields, is_root=is_root)
        if meant is not None:
            paths.add(_path((*above, meant.path.partition(".")[0])))
    return frozenset(names), frozenset(paths)


def _path(location: Location) -> str:
    return ".".join(map(str, location))


def _smaller(shape: Shape, payload: dict[str, Any], error: ValidationError) -> tuple[dict[str, Any], ValidationError]:
    cut = _cut(payload, shape.all_keys())
    try:
        shape.model.__pydantic_validator__.validate_python(cut)
    except ValidationError as smaller:
        return cut, smaller
    return payload, error


def _tell(shape: Shape, location: Location, found: Mapping[str, Any]) -> Violation:
    at = ".".join([messages.short(step) if isinstance(step, str) else str(step) for step in location])
    if not location:
        return messages.not_an_object()
    if found["type"] == "extra_forbidden":
        owner = _shape_at(shape, location[:-1])
        key = str(location[-1])
        if key in owner.model.not_here:
            return messages.absent_key(owner.model.not_here[key], key, at)
        return messages.unknown_key(key, found["input"], at, owner.fields, is_root=len(location) == 1)
    it = _field_at(shape, location)
    if found["input"] is None:
        if it.is_required:
            return messages.null_for_required(it.missing, it.key, it.label, at)
        return messages.null_in_list(it.empty, it.key, it.label, at)
    return TELLERS.get(found["type"], _tell_by_kind)(it, at, found)


def _field_at(shape: Shape, location: Location) -> FieldShape:
    """The field that a location is in; an element of a list belongs to the list's field."""
    keys = [step for step in location if isinstance(step, str)]
    found = shape.fields[keys[0]]
    for key in keys[1:]:
        assert found.part is not None
        found = found.part.fields[key]
    return found


def _shape_at(shape: Shape, location: Location) -> Shape:
    if not any(isinstance(step, str) for step in location):
        return shape
    found = _field_at(shape, location).part
    assert found is not None
    return found


def _tell_by_kind(it: FieldShape, at: str, found: Mapping[str, Any]) -> Violation:
    """By what the field holds: the right words for a wrong JSON type or form, whatever pydantic calls it."""
    kind = it.kind.name if it.kind else "text"
    match kind:
        case "decimal":
            wrong = money.parse(found["input"], places=it.kind.places if it.kind else 2)
            return messages.bad_decimal(it.key, it.label, at, money.Wrong.FORM if isinstance(wrong, Decimal) else wrong)
        case "date":
            return messages.bad_date(it.bad, it.key, it.label, at)
        case "time":
            return messages.bad_time(it.bad, it.key, it.label, at)
        case "moment":
            return messages.bad_moment(it.bad, it.key, it.label, at)
        case "whole" if it.kind:
            return messages.bad_whole(it.bad, it.key, it.label, at, it.kind.least, it.kind.most)
        case "flag":
            return messages.not_flag(it.bad, it.key, it.label, at)
        case "integer" if found["type"] == "less_than_equal":
            return messages.bad_whole(it.bad, it.key, it.label, at, 1, found["ctx"]["le"])
        case "integer":
            return messages.not_integer(it.bad, it.key, it.label, at)
        case "code" if it.kind and it.kind.table and type(found["input"]) is int:
            return messages.unquoted_code(it.bad, it.key, it.label, at, found["input"], it.kind.table)
        case "number_text" if it.kind and it.kind.longest and _is_longer(found["input"], it.kind.longest):
            return messages.too_long(it.bad, it.key, it.label, at, it.kind.longest)
        case "number_text" if isinstance(found["input"], str):
            return _tell_blank(it, at)
        case _:
            return messages.not_text(it.bad, it.key, it.label, at)


def _tell_pattern(it: FieldShape, at: str, found: Mapping[str, Any]) -> Violation:
    kind = it.kind.name if it.kind else "text"
    if kind != "text":
        return _tell_by_kind(it, at, found)
    return _tell_blank(it, at)


def _tell_blank(it: FieldShape, at: str) -> Violation:
    return messages.blank("GEN-005" if it.bad == "GEN-010" else it.bad, it.key, it.label, at)


def _is_longer(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) > longest


def _tell_list(it: FieldShape, at: str, found: Mapping[str, Any]) -> Violation:
    return messages.not_list(it.bad, it.key, it.label, at)


def _tell_part(it: FieldShape, at: str, found: Mapping[str, Any]) -> Violation:
    return messages.not_part(it.bad, it.key, it.label, at)


def _tell_too_short(it: FieldShape, at: str, found: Mapping[str, Any]) -> Violation:
    return messages.too_few(it.bad, it.key, it.label, at)


TELLERS: Final[Mapping[str, Teller]] = {
    "missing": lambda it, at, found: messages.missing(it.missing, it.key, it.label, at),
    "model_type": _tell_part,
    "model_attributes_type": _tell_part,
    "dict_type": _tell_part,
    "list_type": _tell_list,
    "too_short": _tell_too_short,
    "too_long": lambda it, at, found: messages.too_many(it.bad, it.key, it.label, at, found["ctx"]["max_length"]),
    "string_too_long": lambda it, at, found: messages.too_long(
        it.bad, it.key, it.label, at, found["ctx"]["max_length"]
    ),
    "string_too_short": lambda it, at, found: messages.too_short(
        it.bad, it.key, it.label, at, found["ctx"]["min_length"]
    ),
    "string_unicode": lambda it, at, found: messages.unreadable(it.key, it.label, at),
    "string_pattern_mismatch": _tell_pattern,
    "string_type": _tell_by_kind,
    "bool_type": _tell_by_kind,
    "int_type": _tell_by_kind,
    "int_parsing_size": _tell_by_kind,
    "greater_than_equal": _tell_by_kind,
    "less_than_equal": _tell_by_kind,
    "decimal_form": _tell_by_kind,
    "number_text_form": _tell_by_kind,
    "code_form": _tell_by_kind,
    "whole_form": _tell_by_kind,
}
"""Every error type that our models can produce; a test walks the compiled schemas and compares."""


def _value_at(payload: Any, location: Location) -> Any:
    for step in location:
        payload = payload[step]
    return payload


def _take_out(payload: dict[str, Any], location: Location) -> None:
    if not location:
        return
    try:
        owner = _value_at(payload, location[:-1])
        if isinstance(location[-1], int):
            owner[location[-1]] = None
        else:
            owner.pop(location[-1], None)
    except (KeyError, TypeError, IndexError):
        # What held it was taken out before it.
        return


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list) else value


def _cut(value: Any, known: frozenset[str]) -> Any:
    if isinstance(value, dict):
        kept = [key for key in value if key in known] + [key for key in value if key not in known][:_CUT_KEYS]
        return {key: _cut(value[key], known) for key in kept}
    return [_cut(item, known) for item in value[:_CUT_ELEMENTS]] if isinstance(value, list) else value
