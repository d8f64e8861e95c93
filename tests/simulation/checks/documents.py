"""What stands at Factus: each document once, told to somebody, none left behind, none deleted that must stay."""

from __future__ import annotations

from tests.simulation.bodies import AT_FACTUS
from tests.simulation.history import Evidence, Finals, Jobs, Verdict, kind_of


def judge_documents(evidence: Evidence, jobs: Jobs, finals: Finals, verdict: Verdict) -> None:
    told = {
        jobs[job_id][0].document
        for job_id, events in finals.items()
        if job_id in jobs and kind_of(events[0]) == "validated"
    }
    for (account, family), documents in evidence.documents.items():
        for document in documents:
            reference = document["reference_code"]
            if document["is_foreign"] or (account, family, reference) in evidence.stocked:
                continue
            where = f"{account}/{family}"
            if document["state"] != "validated":
                # Rule 90 is a person's to clear up, and out of time is out of time.
                if not evidence.has_deadline and "90" not in document["errors"]:
                    verdict.blame("left behind", f"{where}: {document}", reference)
            elif (account, family, reference) not in told:
                verdict.blame("silent", f"{where}: {reference} is validated at Factus and nobody was told", reference)


def judge_report(evidence: Evidence, verdict: Verdict) -> None:
    n_requests = n_validated = 0
    foreign = {
        document["reference_code"]
        for documents in evidence.documents.values()
        for document in documents
        if document["is_foreign"]
    }
    ours = {name: family for family, name in AT_FACTUS.items()}
    for account, found in evidence.report["accounts"].items():
        n_requests += sum(found["requests"].values())
        for name, facts in found["families"].items():
            n_validated += facts["validated"]
            where = f"{account}/{ours[name]}"
            for reference in facts["duplicates"]["references"]:
                verdict.blame("duplicated at Factus", f"{where}: {reference} validated twice", reference)
            for references in facts["duplicates"]["same_content"]:
                if not foreign.issuperset(references):
                    verdict.blame("duplicated at Factus", f"{where}: the same content under {references}")
            for reference in facts["forbidden_deletes"]:
                verdict.blame("forbidden deletes", f"{where}: {reference}", reference)
        if found["limit"] and found["max_in_fixed_window"] > found["limit"]:
            verdict.blame("unplanned 429", f"{account}: {found['max_in_fixed_window']} requests in one window")
        verdict.counts["429"] += found["rate_limited"]
    verdict.counts["requests"] = n_requests
    verdict.counts["documents"] = n_validated - len(evidence.stocked)
