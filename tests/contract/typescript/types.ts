// Compiles under --strict only if the models say what a field is: each line below an @ts-expect-error has to be refused.
import { toCall, toCallback, type Call, type WindowedOutcomes } from "./models.js";

export function readCall(call: Call): string {
  const ended: Date = call.ended_at;
  const started: Date | null = call.started_at;
  const seconds: number = call.duration_s;
  const slots: Record<string, string> = call.ner_slots;
  // @ts-expect-error it may be null
  const certain: Date = call.started_at;
  // @ts-expect-error it is a Date
  const millis: number = call.ended_at;
  // @ts-expect-error there is no such field
  const unknown = call.no_such_field;
  return [ended, started, seconds, slots, certain, millis, unknown].join();
}

export function readWindow(window: WindowedOutcomes): number {
  const buckets: number[] = window.duration_s_histogram;
  return buckets.length + (window.questions["Q0"]?.completed ?? 0);
}

export const first: string | null | undefined = toCallback({}).details[0]?.question_answer?.[0]?.answer;
export const call: Call = toCall({});
