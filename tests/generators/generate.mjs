// node generate.mjs ASYNCAPI.json: writes contract.ts, all types of the document, and NAME.json, the schemas that the
// other generators start from. What an integrator does, and nothing that mends the document.
import { readFileSync, writeFileSync } from "node:fs";
import { compile } from "json-schema-to-typescript";

const schemas = JSON.parse(readFileSync(process.argv[2])).components.schemas;
const definitions = JSON.parse(JSON.stringify(schemas).replaceAll("#/components/schemas/", "#/definitions/"));
const properties = { job: { $ref: "#/definitions/AnyJob" }, event: { $ref: "#/definitions/AnyEvent" } };
const whole = { title: "Contract", type: "object", additionalProperties: false, properties, definitions };
writeFileSync("contract.ts", await compile(whole, "Contract", { bannerComment: "" }));
for (const name of ["InvoiceIssueJob", "InvoiceValidatedEvent"])
  writeFileSync(`${name}.json`, JSON.stringify({ $ref: `#/definitions/${name}`, definitions }));
