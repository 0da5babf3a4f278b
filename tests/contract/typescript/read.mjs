// Reads lines {record, schema, avro (base64)}; prints what the model makes of each, as JSON: bytes as a list of numbers.
import avro from "avsc";
import { createInterface } from "node:readline";
import * as models from "./out/models.js";

class Instant extends avro.types.LogicalType {
  _fromValue(millis) { return new Date(millis); }
  _toValue(date) { return date.getTime(); }
}

Buffer.prototype.toJSON = Uint8Array.prototype.toJSON = function () { return Array.from(this); };

for await (const line of createInterface({ input: process.stdin })) {
  const { record, schema, avro: bytes } = JSON.parse(line);
  const type = avro.Type.forSchema(schema, { logicalTypes: { "timestamp-millis": Instant } });
  console.log(JSON.stringify(models[`to${record}`](type.fromBuffer(Buffer.from(bytes, "base64")))));
}
