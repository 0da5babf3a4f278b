// Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there.
"use strict";

const avro = require("avsc");
const { decompress } = require("fzstd");
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = require("kafkajs");

const BOOTSTRAP_SERVERS = process.env.KAFKA_BOOTSTRAP_SERVERS ?? "127.0.0.1:9092";
const REGISTRY_URL = process.env.SCHEMA_REGISTRY_URL ?? "http://127.0.0.1:8081/apis/ccompat/v7";
const TOPIC = process.env.TOPIC ?? "airudder.calls.v1";
const GROUP = process.env.GROUP ?? "my-service";
const REMEMBERED = 100_000; // ids and keys that are kept in memory; a repeat or a correction comes within minutes, as a rule
const SHOWN = ["disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered"];

// The records are compressed with zstd, which kafkajs does not bring.
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async () => { throw new Error("this program only reads"); },
  decompress: async (batch) => Buffer.from(decompress(batch)),
});

/** Your work. A higher `revision` of a key replaces what you had of it; words may be new. */
function workWith(topic, id, key, value) {
  const shown = Object.fromEntries(SHOWN.filter((name) => name in value).map((name) => [name, value[name]]));
  console.log(JSON.stringify({ topic, ce_id: id, key, revision: value.revision ?? null, ...shown }));
}

class Undecodable extends Error {}

class Instant extends avro.types.LogicalType { // timestamp-millis
  _fromValue(millis) { return new Date(millis); }
  _toValue(date) { return date.getTime(); }
}

const schemas = new Map();

/** The type of a schema id. Ids differ between installations: look each up, once. */
async function schemaOf(id) {
  if (!schemas.has(id)) {
    const answer = await fetch(`${REGISTRY_URL}/schemas/ids/${id}`, { signal: AbortSignal.timeout(10_000) });
    if (answer.status === 404) throw new Undecodable(`the registry does not know schema ${id}`);
    if (!answer.ok) throw new Error(`the registry answered ${answer.status}`); // try again later
    schemas.set(id, parse((await answer.json()).schema));
  }
  return schemas.get(id);
}

function parse(schema) {
  try {
    return avro.Type.forSchema(JSON.parse(schema), { logicalTypes: { "timestamp-millis": Instant } });
  } catch (error) {
    throw new Undecodable(error.message);
  }
}

/** The record in the Confluent wire format: a zero byte, 4 bytes of schema id, Avro. */
async function decode(value) {
  if (!value || value.length < 5 || value[0] !== 0) throw new Undecodable("no Confluent wire format");
  const schema = await schemaOf(value.readUInt32BE(1));
  try {
    return schema.fromBuffer(value.subarray(5));
  } catch (error) {
    throw new Undecodable(error.message);
  }
}

function text(bytes, name) {
  if (!bytes) throw new Undecodable(`no ${name}`);
  return bytes.toString();
}

/** A map that forgets its oldest entry beyond REMEMBERED. */
class Memory extends Map {
  set(key, value) {
    this.delete(key); // so that it becomes the youngest
    if (this.size >= REMEMBERED) this.delete(this.keys().next().value);
    return super.set(key, value);
  }
}

const seen = new Memory(); // topic and ce_id of what was handled
const revisions = new Memory(); // topic and key -> highest revision

async function handle({ topic, partition, message }) {
  if (message.headers?.synthetic) return; // a probe
  const place = `${topic}[${partition}]@${message.offset}`;
  let id, key, value;
  try {
    value = await decode(message.value);
    id = text(message.headers?.ce_id, "ce_id");
    key = text(message.key, "key");
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error; // the registry is away: kafkajs tries again
    console.error(`set aside: ${place} cannot be decoded: ${error.message}`);
    return;
  }
  if (seen.has(`${topic} ${id}`)) return; // a repeat
  const name = `${topic} ${key}`;
  if (value.revision < revisions.get(name)) return; // older than what we have
  if (value.revision !== undefined) revisions.set(name, value.revision);
  workWith(topic, id, key, value);
  seen.set(`${topic} ${id}`, true);
}

async function main() {
  const kafka = new Kafka({ clientId: GROUP, brokers: BOOTSTRAP_SERVERS.split(","), logLevel: logLevel.ERROR });
  const consumer = kafka.consumer({ groupId: GROUP, allowAutoTopicCreation: false }); // reads committed records only
  consumer.on(consumer.events.CRASH, ({ payload }) => { if (!payload.restart) process.exitCode = 1; });
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => consumer.disconnect());
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  await consumer.run({ eachMessage: handle }); // commits what was handled
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
