// Writes a job to standard output, and reads the event that is given as the first argument.
import type { AnyEvent, AnyJob, Bill, InvoiceIssueJob } from "./contract.js";

declare const process: { argv: string[] };

const bill: Bill = {
  reference_code: "TS-0001",
  send_email: false,
  payment_details: [{ payment_form: "1", payment_method_code: "10", amount: "11900.00" }],
  customer: {
    identification_document_code: "13",
    identification: "222222222222",
    legal_organization_code: "2",
    tribute_code: "ZZ",
    names: "Consumidor Final",
  },
  items: [
    {
      code_reference: "CAFE-500",
      name: "Café de origen, 500 g",
      quantity: "1.00",
      price: "10000.00",
      unit_measure_code: "94",
      standard_code: "999",
      taxes: [{ code: "01", rate: "19.00" }],
    },
  ],
};
const job: InvoiceIssueJob = { type: "invoice.issue", id: "ts-1", payload: bill, options: { archive: ["pdf"] } };
const pushed: AnyJob = job;

// @ts-expect-error: a type of job that there is not
const wrong: AnyJob = { type: "invoice.shred", payload: {} };

function told(event: AnyEvent): string {
  switch (event.type) {
    case "invoice.validated":
      // @ts-expect-error: a bill has a CUFE, and no CUDE
      event.data.cude;
      return `${event.data.number} ${event.data.cufe}`;
    case "credit_note.validated":
      return `${event.data.number} ${event.data.cude}`;
    case "invoice.rejected":
      return `${event.data?.number ?? ""} ${event.errors[0].rule ?? ""}`;
    case "account.blocked":
      return event.data.mend;
    default:
      return event.message;
  }
}

console.log(JSON.stringify({ job: pushed, told: told(JSON.parse(process.argv[2]) as AnyEvent) }));
