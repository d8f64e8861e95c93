"""
`POST …/validate`: storing a document, the family lock, DIAN's word, and the repeat of a reference.

One create at a time for an account and family, or as many as ``--lane-width`` says: one more is answered 409 while
these are under way, and as long as any stored document is not validated. A repeated reference brings the stored
document back; its second body is not read.
"""

from starlette.responses import Response

from sandbox.families.draft import Draft, draft
from sandbox.routes import responses
from sandbox.routes.middleware import Call
from sandbox.routes.store_document import add_foreign, store_document
from sandbox.state.dian import RULE_90
from sandbox.state.store import Document, State
from sandbox.values.fields import Errors


async def create(call: Call) -> Response:
    call.account.count_create(call.family.name, "posted")
    if call.body is None:
        return responses.malformed()
    if down := call.effects.get("dian_down"):
        call.state.dian.go_down(call.state.now(), down["seconds"])
    known = call.shelf.find(call.reference) if call.reference else None
    if known is not None:
        return await _repeat(call, known)
    errors: Errors = {}
    drafted = draft(call.account, call.family, call.body, call.state.now(), errors)
    if drafted is None:
        call.account.count_create(call.family.name, "refused")
        return responses.fields_refused(errors) if errors else responses.no_detail()
    _inject_foreign(call)
    if _is_barred(call):
        return _conflict(call)
    return await _create_new(call, drafted)


async def _repeat(call: Call, document: Document) -> Response:
    call.account.count_create(call.family.name, "repeated")
    document.n_posted += 1
    shelf, dian = call.shelf, call.state.dian
    if document.state is State.REJECTED:
        return responses.dian_refused(RULE_90, "list") if "90" in document.errors else _conflict(call)
    dian.settle(document, shelf, call.state.now())
    if document.is_validated:
        return responses.registered(document.reference, call.family.show(document, call.account.company))
    if _is_barred(call):
        return _conflict(call)
    shelf.under_way.add(document.reference)
    try:
        await _take_time(call)
        dian.ask_again(document, shelf, call.state.now())
    finally:
        shelf.under_way.discard(document.reference)
    return _tell(call, document)


async def _create_new(call: Call, drafted: Draft) -> Response:
    """Store first, then wait: who looks meanwhile finds a document that is not validated."""
    shelf, slow = call.shelf, call.effects.get("slow")
    shelf.under_way.add(call.reference)
    try:
        if slow and slow["where"] == "before_store":
            await call.state.sleep(slow["seconds"])
        document = store_document(call.state, call.account, call.family, drafted)
        try:
            await _take_time(call)
        finally:
            # Also when the client went away and the request was cancelled: Factus goes on without it.
            call.state.dian.judge(document, shelf, call.effects, call.state.now())
    finally:
        shelf.under_way.discard(call.reference)
    return _tell(call, document)


async def _take_time(call: Call) -> None:
    if (slow := call.effects.get("slow")) and slow["where"] == "after_store":
        await call.state.sleep(slow["seconds"])
    await call.state.pause(call.state.config.latency)


def _tell(call: Call, document: Document) -> Response:
    """The answer to a create, by what DIAN has said so far."""
    if document.state is State.REJECTED and document.rejected_as != "body":
        return responses.dian_refused(document.errors, document.rejected_as)
    if call.effects.get("rule_90"):
        return responses.dian_refused(RULE_90, "list")
    wait = document.wait
    if wait is not None and wait.acknowledged_with is not None:
        return responses.accepted(wait.acknowledged_with)
    return responses.registered(document.reference, call.family.show(document, call.account.company))


def _is_barred(call: Call) -> bool:
    shelf = call.shelf
    if call.reference in shelf.under_way or len(shelf.under_way) >= call.state.config.lane_width:
        return True
    call.state.dian.settle_all(shelf, call.state.now())
    return shelf.blocker(call.reference) is not None


def _conflict(call: Call) -> Response:
    call.account.count_create(call.family.name, "conflicts")
    return responses.plain(409, call.family.conflict)


def _inject_foreign(call: Call) -> None:
    if foreign := call.effects.get("foreign_pending"):
        add_foreign(call.state, call.account, call.family, foreign["reference"], foreign["seconds"])
