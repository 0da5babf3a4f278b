// Reads an AsyncAPI document with the official parser: its diagnostics and what it found, as JSON on stdout.
import { readFileSync } from "node:fs";
import { AvroSchemaParser } from "@asyncapi/avro-schema-parser";
import { Parser } from "@asyncapi/parser";

const source = process.argv[2];
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
const { document, diagnostics } = await parser.parse(readFileSync(source, "utf8"), { source });
const fields = Object.fromEntries(
  (document?.channels().all() ?? []).map((channel) => {
    const [message] = channel.messages().all();
    return [channel.address(), Object.keys(message.payload().properties())];
  }),
);
process.stdout.write(JSON.stringify({ diagnostics, fields }));
