// The records of AiRudder's topics as interfaces. Written by `python -m schemas models`; do not edit.
//
// Copy this file; it needs no package. `toCall(decoded)` takes what avsc gives for a record, with instants as Date: the
// example for Node shows how. It leaves out fields that are newer than this file. A field that the record is too old
// for gets its default. Words may be new: no text is an enum.

/** What an Avro reader gives for a record. */
export type Decoded = { readonly [name: string]: any };

function required(decoded: Decoded, name: string): any {
  if (decoded[name] === undefined) throw new TypeError(`the record has no ${name}`);
  return decoded[name];
}

function mapped<T>(values: { readonly [name: string]: Decoded }, to: (decoded: Decoded) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}

/** One question of the robot's script and what came of it, as sent. */
export interface QuestionAnswer {
  /** The question's short name in the script, e.g. Q0. */
  question_name: string | null;
  /** The answer the robot understood, as sent; '/' for none. Null when the provider did not send the field. */
  answer: string | null;
  /** What the callee said, transcribed. */
  answer_text: string | null;
  /** The provider's word: Completed, Skip, or one it may add. */
  status: string | null;
  /** The slot value taken from the answer, as sent. */
  answer_text_slot: string | null;
  /** The variable the answer was checked against, as sent. */
  var: string | null;
  /** The provider's word for the check of the answer. */
  verification_results: string | null;
  /** The question's text as sent: the provider escapes Unicode twice here. */
  question_content: string | null;
  /** The provider's word: whether, open, or one it may add. */
  question_type: string | null;
  /** The provider's word for a yes/no question: Hangup, Skip, or others. */
  whether_answer: string | null;
  /**
   * What else came with this question, by the provider's own spelling, as JSON text: fields this schema has no
   * place for, and known ones whose value is not as documented (JSON null, another type, a map with values that are
   * not text). Wins over the typed field when the JSON is rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toQuestionAnswer(decoded: Decoded): QuestionAnswer {
  return {
    question_name: decoded.question_name ?? null,
    answer: decoded.answer ?? null,
    answer_text: decoded.answer_text ?? null,
    status: decoded.status ?? null,
    answer_text_slot: decoded.answer_text_slot ?? null,
    var: decoded.var ?? null,
    verification_results: decoded.verification_results ?? null,
    question_content: decoded.question_content ?? null,
    question_type: decoded.question_type ?? null,
    whether_answer: decoded.whether_answer ?? null,
    extra: decoded.extra ?? {},
  };
}

/** One earlier dial of the same callee, as sent in redail_call[] (the provider's spelling). */
export interface RedialCall {
  /** The earlier dial's own call id. */
  call_id: string | null;
  /** Start of the dial, zone-less text in the account's time zone. */
  call_start_time: string | null;
  /** The provider's word for the ring result; null and the word 'null' mean the same. */
  ring_type: string | null;
  /** Seconds of ringing. */
  ring_time: number | null;
  /** The provider's word for who hung up. */
  hangup_type: string | null;
  /** The provider's free label. */
  result_label: string | null;
  /** The number dialled, as sent. */
  callee_number: string | null;
  /** The number shown to the callee, as sent. */
  caller_number: string | null;
  /**
   * What else came with this redial, by the provider's own spelling, as JSON text: fields this schema has no place
   * for, and known ones whose value is not as documented (JSON null, another type, a map with values that are not
   * text). Wins over the typed field when the JSON is rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toRedialCall(decoded: Decoded): RedialCall {
  return {
    call_id: decoded.call_id ?? null,
    call_start_time: decoded.call_start_time ?? null,
    ring_type: decoded.ring_type ?? null,
    ring_time: decoded.ring_time ?? null,
    hangup_type: decoded.hangup_type ?? null,
    result_label: decoded.result_label ?? null,
    callee_number: decoded.callee_number ?? null,
    caller_number: decoded.caller_number ?? null,
    extra: decoded.extra ?? {},
  };
}

/** One call: one entry of details[], as sent. */
export interface CallDetail {
  /** The provider's number of this detail; near the limit of 32 bits in its own example. */
  id: number | null;
  /** The number called, as sent. */
  callee: string | null;
  /** The provider's word: created, pending, finished, cancelled, failed, or one it may add. */
  result: string | null;
  /** The provider's free label of the outcome, e.g. E. */
  result_label: string | null;
  /** Seconds of the call, as sent. */
  duration: number | null;
  /** The provider's word: ByCallee, ByRobot, Canceled, or one it may add. */
  hangup_type: string | null;
  /**
   * The provider's word: busy, cantuse, holdline, switchoff, outofarea, unregister, wrongnum, notmatch, normal,
   * null, or one it may add.
   */
  ring_type: string | null;
  /** The questions of the script, in the order asked. */
  question_answer: QuestionAnswer[] | null;
  /** NerSlots: named entities the robot heard; values that are not text are given as JSON text. Null when not sent. */
  ner_slots: Record<string, string> | null;
  /** The robot that spoke. */
  robot_hash: string | null;
  /** The provider's id of this call; the identity of a call everywhere in this system. */
  call_id: string | null;
  /** How many dials it took, as the provider counts them. */
  call_times: number | null;
  /** Start of the final dial, zone-less text in the account's time zone. */
  call_start_time: string | null;
  /** End of the final dial, zone-less text in the account's time zone; the event time. */
  call_end_time: string | null;
  /** Seconds of ringing of the final dial. */
  ring_time: number | null;
  /** Turns of conversation. */
  talk_round: number | null;
  /** redail_call (the provider's spelling): the earlier dials. Null when not sent. */
  redial_calls: RedialCall[] | null;
  /** The provider's free text on the callee's intention. */
  intention_description: string | null;
  /** EventLabel: labels the robot gave; values that are not text are given as JSON text. Null when not sent. */
  event_label: Record<string, string> | null;
  /** The number shown to the callee, as sent. */
  caller_number: string | null;
  /** CaseID: the customer's own reference; may be empty. */
  case_id: string | null;
  /** Variables: what the customer gave the robot for this callee; values that are not text are given as JSON text. */
  variables: Record<string, string> | null;
  /**
   * What else came with this detail, by the provider's own spelling, as JSON text: fields this schema has no place
   * for, and known ones whose value is not as documented (JSON null, another type, a map with values that are not
   * text). Wins over the typed field when the JSON is rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toCallDetail(decoded: Decoded): CallDetail {
  return {
    id: decoded.id ?? null,
    callee: decoded.callee ?? null,
    result: decoded.result ?? null,
    result_label: decoded.result_label ?? null,
    duration: decoded.duration ?? null,
    hangup_type: decoded.hangup_type ?? null,
    ring_type: decoded.ring_type ?? null,
    question_answer: decoded.question_answer == null ? null : (decoded.question_answer).map(toQuestionAnswer),
    ner_slots: decoded.ner_slots ?? null,
    robot_hash: decoded.robot_hash ?? null,
    call_id: decoded.call_id ?? null,
    call_times: decoded.call_times ?? null,
    call_start_time: decoded.call_start_time ?? null,
    call_end_time: decoded.call_end_time ?? null,
    ring_time: decoded.ring_time ?? null,
    talk_round: decoded.talk_round ?? null,
    redial_calls: decoded.redial_calls == null ? null : (decoded.redial_calls).map(toRedialCall),
    intention_description: decoded.intention_description ?? null,
    event_label: decoded.event_label ?? null,
    caller_number: decoded.caller_number ?? null,
    case_id: decoded.case_id ?? null,
    variables: decoded.variables ?? null,
    extra: decoded.extra ?? {},
  };
}

/**
 * One delivery from AiRudder, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt from it.
 * Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the same
 * object has its value as sent.
 */
export interface Callback {
  /** Hex SHA-256 of the raw body: equal bodies have equal ids. */
  event_id: string;
  /** When the gateway had received the whole body; of an import, when it was imported. */
  received_at: Date;
  /** Which webhook: call-completion. */
  kind: string;
  /**
   * The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
   * 'import' when `gateway import` published it, which verifies nothing.
   */
  signature_scheme: string;
  /** The id of the key that verified it; null when none did. */
  signature_key_id: string | null;
  /** The provider's workflow. */
  workflow_id: string | null;
  /** Its name. */
  workflow_name: string | null;
  /** The node of the workflow that dialled. */
  nodetask_id: string | null;
  /** Its name. */
  nodetask_name: string | null;
  /** The calling task. */
  task_id: string | null;
  /** Its name. */
  task_name: string | null;
  /** The task's state: created, pending, finished, calling, canceled, paused, or one the provider may add. */
  status: string | null;
  /** Creation of the task, zone-less text in the account's time zone, as sent. */
  created_at: string | null;
  /** The provider's redial interval, as sent. */
  repeat_interval: number | null;
  /** The provider's redial limit, as sent. */
  repeat_number: number | null;
  /** The robot of the task. */
  robot_hash: string | null;
  /** The provider's word, e.g. single. */
  robot_method: string | null;
  /** The SIP line that carried the calls. */
  sip_line: string | null;
  /** Start of the task's schedule, zone-less text in the account's time zone. */
  schedule_start_time: string | null;
  /** End of the task's schedule, zone-less text in the account's time zone. */
  schedule_end_time: string | null;
  /** The calls; normally one. */
  details: CallDetail[];
  /**
   * What else came with the delivery, by the provider's own spelling, as JSON text: fields this schema has no place
   * for, and known ones whose value is not as documented (JSON null, another type, a map with values that are not
   * text). Wins over the typed field when the JSON is rebuilt.
   */
  extra: Record<string, string>;
  /**
   * Position of details[0] in the delivery's own details[]. 0 but in the internal topic that re-keys details after
   * the first.
   */
  detail_offset: number;
}

/** Throws TypeError when a field without a default is missing. */
export function toCallback(decoded: Decoded): Callback {
  return {
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    kind: decoded.kind ?? "call-completion",
    signature_scheme: decoded.signature_scheme ?? "none",
    signature_key_id: decoded.signature_key_id ?? null,
    workflow_id: decoded.workflow_id ?? null,
    workflow_name: decoded.workflow_name ?? null,
    nodetask_id: decoded.nodetask_id ?? null,
    nodetask_name: decoded.nodetask_name ?? null,
    task_id: decoded.task_id ?? null,
    task_name: decoded.task_name ?? null,
    status: decoded.status ?? null,
    created_at: decoded.created_at ?? null,
    repeat_interval: decoded.repeat_interval ?? null,
    repeat_number: decoded.repeat_number ?? null,
    robot_hash: decoded.robot_hash ?? null,
    robot_method: decoded.robot_method ?? null,
    sip_line: decoded.sip_line ?? null,
    schedule_start_time: decoded.schedule_start_time ?? null,
    schedule_end_time: decoded.schedule_end_time ?? null,
    details: (decoded.details ?? []).map(toCallDetail),
    extra: decoded.extra ?? {},
    detail_offset: decoded.detail_offset ?? 0,
  };
}

/** A request that was not published, kept so that it can be judged again. */
export interface QuarantinedRequest {
  /** Hex SHA-256 of the raw body. */
  event_id: string;
  /** When the gateway had received it. */
  received_at: Date;
  /** Why, from a closed set: bad_signature, malformed, unsupported_type. */
  reason: string;
  /** What was wrong, without values of personal fields. */
  detail: string;
  /** HTTP method. */
  method: string;
  /** HTTP path. */
  path: string;
  /** HTTP headers, names in lower case, secrets removed. */
  headers: Record<string, string>;
  /** The raw body. */
  body: Uint8Array;
  /** The peer's address; empty when unknown. */
  remote_address: string;
}

/** Throws TypeError when a field without a default is missing. */
export function toQuarantinedRequest(decoded: Decoded): QuarantinedRequest {
  return {
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    reason: decoded.reason ?? "unknown",
    detail: decoded.detail ?? "",
    method: decoded.method ?? "",
    path: decoded.path ?? "",
    headers: decoded.headers ?? {},
    body: decoded.body ?? new Uint8Array(),
    remote_address: decoded.remote_address ?? "",
  };
}

/**
 * One call, answered or given up, as its latest delivery tells it. The same call_id again with other content comes
 * as revision + 1.
 */
export interface Call {
  /** This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it. */
  record_id: string;
  /** The delivery this came from: hex SHA-256 of its raw body. */
  event_id: string;
  /** The provider's id of the call; the record's key. */
  call_id: string;
  /** 1 for the first content of this call_id, one more for each correction. */
  revision: number;
  /** The workflow. */
  workflow_id: string;
  /** Its name. */
  workflow_name: string;
  /** The node of the workflow that dialled. */
  nodetask_id: string;
  /** Its name. */
  nodetask_name: string;
  /** The calling task. */
  task_id: string;
  /** Its name. */
  task_name: string;
  /** The SIP line that carried the call; empty when not sent. */
  sip_line: string;
  /** The provider's number of the detail; 0 when not sent. */
  detail_id: number;
  /** The customer's own reference; may be empty. */
  case_id: string;
  /** The number called, as sent; empty when not sent. */
  callee: string;
  /** The number shown to the callee; null when not sent. */
  caller_number: string | null;
  /** The provider's word for the result; empty when not sent. */
  result: string;
  /** The provider's free label; empty when not sent. */
  result_label: string;
  /** The provider's word for who hung up; empty when not sent. */
  hangup_type: string;
  /** The provider's word for the ring result; null when sent as null. */
  ring_type: string | null;
  /**
   * Our outcome class of the final dial: answered, user_busy, subscriber_absent, subscriber_barred, bad_number,
   * rejected, no_answer, pre_alert_failure, unknown.
   */
  disposition: string;
  /**
   * Seconds of the call, as sent: in the provider's example from its start to its end, ringing included. 0 when not
   * sent.
   */
  duration_s: number;
  /** Seconds of ringing of the final dial; 0 when not sent. */
  ring_time_s: number;
  /** Turns of conversation; 0 when not sent. */
  talk_round: number;
  /** How many dials it took, as the provider counts them; null when it does not tell. */
  call_times: number | null;
  /**
   * Start of the final dial, never after ended_at; null when the provider's text could not be read or lies after
   * the end.
   */
  started_at: Date | null;
  /** Event time: end of the final dial by the provider, or the time of receipt; ended_at_source says which. */
  ended_at: Date;
  /** When the gateway received the delivery. */
  received_at: Date;
  /** The robot that spoke. */
  robot_hash: string;
  /** The provider's free text; null when not sent. */
  intention_description: string | null;
  /** Named entities the robot heard. */
  ner_slots: Record<string, string>;
  /** Labels the robot gave. */
  event_labels: Record<string, string>;
  /** What the customer gave the robot for this callee. */
  variables: Record<string, string>;
  /** How many Answer records this revision has. */
  answer_count: number;
  /** How many CallAttempt records this revision has, the final dial included. */
  attempt_count: number;
  /**
   * Where ended_at comes from: provider; or unreadable (no time, or a stand-in for none), implausible (more than a
   * year before the call's start), future (after its receipt), where it is the receipt.
   */
  ended_at_source: string;
  /** The provider's word for the state of the task when it told of the call. */
  task_status: string | null;
  /** When the task was created; null when not sent or not readable. */
  task_created_at: Date | null;
  /** The task's interval between redials, as sent. */
  repeat_interval: number | null;
  /** The task's number of redials, as sent. */
  repeat_number: number | null;
  /** The provider's word for how the robot works. */
  robot_method: string | null;
  /** When the task was to begin; null when not sent or not readable. */
  schedule_start_at: Date | null;
  /** When the task was to end; null when not sent or not readable. */
  schedule_end_at: Date | null;
  /** Fields of the detail that the provider's page does not list, as JSON text. */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toCall(decoded: Decoded): Call {
  return {
    record_id: required(decoded, "record_id"),
    event_id: required(decoded, "event_id"),
    call_id: required(decoded, "call_id"),
    revision: required(decoded, "revision"),
    workflow_id: required(decoded, "workflow_id"),
    workflow_name: decoded.workflow_name ?? "",
    nodetask_id: decoded.nodetask_id ?? "",
    nodetask_name: decoded.nodetask_name ?? "",
    task_id: decoded.task_id ?? "",
    task_name: decoded.task_name ?? "",
    sip_line: decoded.sip_line ?? "",
    detail_id: decoded.detail_id ?? 0,
    case_id: decoded.case_id ?? "",
    callee: decoded.callee ?? "",
    caller_number: decoded.caller_number ?? null,
    result: decoded.result ?? "",
    result_label: decoded.result_label ?? "",
    hangup_type: decoded.hangup_type ?? "",
    ring_type: decoded.ring_type ?? null,
    disposition: decoded.disposition ?? "unknown",
    duration_s: decoded.duration_s ?? 0,
    ring_time_s: decoded.ring_time_s ?? 0,
    talk_round: decoded.talk_round ?? 0,
    call_times: decoded.call_times ?? null,
    started_at: decoded.started_at ?? null,
    ended_at: decoded.ended_at ?? new Date(0),
    received_at: decoded.received_at ?? new Date(0),
    robot_hash: decoded.robot_hash ?? "",
    intention_description: decoded.intention_description ?? null,
    ner_slots: decoded.ner_slots ?? {},
    event_labels: decoded.event_labels ?? {},
    variables: decoded.variables ?? {},
    answer_count: required(decoded, "answer_count"),
    attempt_count: required(decoded, "attempt_count"),
    ended_at_source: decoded.ended_at_source ?? "provider",
    task_status: decoded.task_status ?? null,
    task_created_at: decoded.task_created_at ?? null,
    repeat_interval: decoded.repeat_interval ?? null,
    repeat_number: decoded.repeat_number ?? null,
    robot_method: decoded.robot_method ?? null,
    schedule_start_at: decoded.schedule_start_at ?? null,
    schedule_end_at: decoded.schedule_end_at ?? null,
    extra: decoded.extra ?? {},
  };
}

/** One question of a call, answered or not. */
export interface Answer {
  /** This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it. */
  record_id: string;
  /** The delivery this came from: hex SHA-256 of its raw body. */
  event_id: string;
  /** The call; the record's key. */
  call_id: string;
  /** The call's revision this belongs to. */
  revision: number;
  /** Place among the call's questions, from 0. */
  position: number;
  /** The workflow. */
  workflow_id: string;
  /** The SIP line. */
  sip_line: string;
  /** The customer's own reference; may be empty. */
  case_id: string;
  /** The number called. */
  callee: string;
  /** The question's short name in the script. */
  question_name: string;
  /** The question as readable text; null when not sent. */
  question_content: string | null;
  /** The provider's word; null when not sent. */
  question_type: string | null;
  /** The provider's word: Completed, Skip, or others. */
  status: string | null;
  /** The answer the robot understood, as sent. */
  answer: string | null;
  /** What the callee said, transcribed. */
  answer_text: string | null;
  /** The slot value taken from it. */
  answer_text_slot: string | null;
  /** The variable it was checked against. */
  var: string | null;
  /** The provider's word for the check. */
  verification_results: string | null;
  /** The provider's word for a yes/no question. */
  whether_answer: string | null;
  /** Event time of the call. */
  call_ended_at: Date;
  /** Where call_ended_at comes from, as Call.ended_at_source says: provider, unreadable, implausible or future. */
  call_ended_at_source: string;
  /** How many Answer records this revision has: those of lower revisions beyond it are gone. */
  answer_count: number;
  /** What came of the question, as the windows count it: completed, skipped, broke_off or not_reached. */
  state: string;
}

/** Throws TypeError when a field without a default is missing. */
export function toAnswer(decoded: Decoded): Answer {
  return {
    record_id: required(decoded, "record_id"),
    event_id: required(decoded, "event_id"),
    call_id: required(decoded, "call_id"),
    revision: required(decoded, "revision"),
    position: required(decoded, "position"),
    workflow_id: required(decoded, "workflow_id"),
    sip_line: decoded.sip_line ?? "",
    case_id: decoded.case_id ?? "",
    callee: decoded.callee ?? "",
    question_name: decoded.question_name ?? "",
    question_content: decoded.question_content ?? null,
    question_type: decoded.question_type ?? null,
    status: decoded.status ?? null,
    answer: decoded.answer ?? null,
    answer_text: decoded.answer_text ?? null,
    answer_text_slot: decoded.answer_text_slot ?? null,
    var: decoded.var ?? null,
    verification_results: decoded.verification_results ?? null,
    whether_answer: decoded.whether_answer ?? null,
    call_ended_at: decoded.call_ended_at ?? new Date(0),
    call_ended_at_source: decoded.call_ended_at_source ?? "provider",
    answer_count: decoded.answer_count ?? 0,
    state: decoded.state ?? "not_reached",
  };
}

/** One dial of a call, redials included. */
export interface CallAttempt {
  /** This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it. */
  record_id: string;
  /** The delivery this came from: hex SHA-256 of its raw body. */
  event_id: string;
  /** The call_id of the call this dial belongs to; the record's key. */
  final_call_id: string;
  /** This dial's own id; empty when the provider sent none. */
  call_id: string;
  /** The call's revision this belongs to. */
  revision: number;
  /** 1 for the first dial, by start time. */
  attempt_number: number;
  /** True for the dial the callback is about. */
  is_final: boolean;
  /** The workflow. */
  workflow_id: string;
  /** The SIP line of the callback; the provider names none for earlier dials. */
  sip_line: string;
  /** The number dialled. */
  callee: string;
  /** The number shown to the callee; null when not sent. */
  caller_number: string | null;
  /** The provider's word for the ring result; null when sent as null or not at all. */
  ring_type: string | null;
  /** Seconds of ringing; null when not sent. */
  ring_time_s: number | null;
  /** The provider's word for who hung up; null when not sent. */
  hangup_type: string | null;
  /** The provider's free label; null when not sent. */
  result_label: string | null;
  /** Our outcome class of this dial. */
  disposition: string;
  /** Seconds of the call; null for earlier dials, of which the provider tells none. */
  duration_s: number | null;
  /** Start of the dial; null when the provider's text could not be read. */
  started_at: Date | null;
  /** How many CallAttempt records this revision has, the final dial included. */
  attempt_count: number;
}

/** Throws TypeError when a field without a default is missing. */
export function toCallAttempt(decoded: Decoded): CallAttempt {
  return {
    record_id: required(decoded, "record_id"),
    event_id: required(decoded, "event_id"),
    final_call_id: required(decoded, "final_call_id"),
    call_id: decoded.call_id ?? "",
    revision: required(decoded, "revision"),
    attempt_number: required(decoded, "attempt_number"),
    is_final: decoded.is_final ?? false,
    workflow_id: required(decoded, "workflow_id"),
    sip_line: decoded.sip_line ?? "",
    callee: decoded.callee ?? "",
    caller_number: decoded.caller_number ?? null,
    ring_type: decoded.ring_type ?? null,
    ring_time_s: decoded.ring_time_s ?? null,
    hangup_type: decoded.hangup_type ?? null,
    result_label: decoded.result_label ?? null,
    disposition: decoded.disposition ?? "unknown",
    duration_s: decoded.duration_s ?? null,
    started_at: decoded.started_at ?? null,
    attempt_count: decoded.attempt_count ?? 0,
  };
}

/** What came of one question. */
export interface QuestionOutcomes {
  /** Status Completed. */
  completed: number;
  /** Status Skip. */
  skipped: number;
  /** The callee hung up at this question, which has another status. */
  broke_off: number;
  /** Any other status, or none. */
  not_reached: number;
  /** Sum of the question's places in those calls, from 1: divided by their number, where it usually stands. */
  position_sum: number;
}

/** Throws TypeError when a field without a default is missing. */
export function toQuestionOutcomes(decoded: Decoded): QuestionOutcomes {
  return {
    completed: required(decoded, "completed"),
    skipped: required(decoded, "skipped"),
    broke_off: required(decoded, "broke_off"),
    not_reached: required(decoded, "not_reached"),
    position_sum: decoded.position_sum ?? 0,
  };
}

/** A SIP line's dials for one workflow. */
export interface LineWorkflowOutcomes {
  /** Dials. */
  attempts: number;
  /** Dials answered. */
  answered: number;
  /**
   * Dials that reached the callee's side: answered, user_busy, rejected, no_answer, subscriber_absent,
   * subscriber_barred.
   */
  delivered: number;
  /** Dials that never rang. */
  pre_alert_failure: number;
}

/** Throws TypeError when a field without a default is missing. */
export function toLineWorkflowOutcomes(decoded: Decoded): LineWorkflowOutcomes {
  return {
    attempts: required(decoded, "attempts"),
    answered: required(decoded, "answered"),
    delivered: required(decoded, "delivered"),
    pre_alert_failure: required(decoded, "pre_alert_failure"),
  };
}

/** Outcomes of one workflow or SIP line in one window of event time: sums and counts only, so windows merge exactly. */
export interface WindowedOutcomes {
  /** workflow or sip_line. */
  dimension: string;
  /** The workflow_id or the SIP line. */
  value: string;
  /** Start of the window, inclusive. */
  window_start_at: Date;
  /** End of the window, exclusive. */
  window_end_at: Date;
  /** How many changes (calls added or corrected) the window has seen: of two records the higher is newer. */
  revision: number;
  /** True once, when the window is closed for good. */
  is_final: boolean;
  /** Calls, each once, as its latest revision. */
  calls: number;
  /** Calls whose final dial was answered. */
  answered: number;
  /** Dials, redials included. */
  attempts: number;
  /** Calls by the provider's result word. */
  results: Record<string, number>;
  /** Calls by the provider's free label. */
  result_labels: Record<string, number>;
  /** Calls by the provider's hang-up word. */
  hangup_types: Record<string, number>;
  /** Calls by the provider's ring word; 'null' for none. */
  ring_types: Record<string, number>;
  /** Calls by disposition of the final dial. */
  dispositions: Record<string, number>;
  /** Dials by disposition. */
  attempt_dispositions: Record<string, number>;
  /** Seconds of calls, summed. */
  duration_s_sum: number;
  /** Seconds of ringing of final dials, summed. */
  ring_time_s_sum: number;
  /** Turns of conversation, summed. */
  talk_round_sum: number;
  /** By question_name. */
  questions: Record<string, QuestionOutcomes>;
  /** Answered calls of at most 6 s. */
  short_calls: number;
  /** Answered calls over 3 s without a turn of conversation. */
  silent_answers: number;
  /** Answered calls with more than 3 turns of conversation. */
  engaged_calls: number;
  /** Seconds of answered calls, summed: the ACD's numerator. */
  answered_duration_s_sum: number;
  /** Answered calls by the provider's hang-up word. */
  answered_hangup_types: Record<string, number>;
  /** Answered calls by the number of the dial that was answered: 1, 2, 3, 4, 5+. */
  answered_on_attempt: Record<string, number>;
  /** Calls that came to this dial: 1, 2, 3, 4, 5+. */
  reached_attempt: Record<string, number>;
  /**
   * Answered calls by duration; buckets up to and including 1, 3, 6, 10, 20, 30, 60, 120, 300, 600 s, then the
   * rest. Not cumulative.
   */
  duration_s_histogram: number[];
  /** Answered calls by seconds of ringing; same buckets. */
  answered_ring_time_s_histogram: number[];
  /** Other calls by seconds of ringing; same buckets. */
  unanswered_ring_time_s_histogram: number[];
  /** Dials the provider's label blames on the callee though nothing ever rang. */
  never_rang_conflicts: number;
  /** Calls whose call_times differs from their number of dials. */
  call_times_conflicts: number;
  /** For a SIP line: its dials by workflow_id, which the comparison with peer lines needs. Empty for a workflow. */
  by_workflow: Record<string, LineWorkflowOutcomes>;
  /**
   * How much of `other` in each map is not a word `other` that was sent, but words beyond the 500 that a map of one
   * window names; map name -> count. Empty in almost every window.
   */
  overflow: Record<string, number>;
  /** Calls whose fields contradict each other, by how: talked_unreachable, talked_no_seconds, seconds_unreachable. */
  contradictions: Record<string, number>;
  /**
   * For a workflow: its calls by the name that it had, those without a name left out; two when it was renamed.
   * Empty for a SIP line.
   */
  workflow_names: Record<string, number>;
}

/** Throws TypeError when a field without a default is missing. */
export function toWindowedOutcomes(decoded: Decoded): WindowedOutcomes {
  return {
    dimension: required(decoded, "dimension"),
    value: required(decoded, "value"),
    window_start_at: required(decoded, "window_start_at"),
    window_end_at: required(decoded, "window_end_at"),
    revision: required(decoded, "revision"),
    is_final: decoded.is_final ?? false,
    calls: required(decoded, "calls"),
    answered: required(decoded, "answered"),
    attempts: required(decoded, "attempts"),
    results: required(decoded, "results"),
    result_labels: required(decoded, "result_labels"),
    hangup_types: required(decoded, "hangup_types"),
    ring_types: required(decoded, "ring_types"),
    dispositions: required(decoded, "dispositions"),
    attempt_dispositions: required(decoded, "attempt_dispositions"),
    duration_s_sum: required(decoded, "duration_s_sum"),
    ring_time_s_sum: required(decoded, "ring_time_s_sum"),
    talk_round_sum: required(decoded, "talk_round_sum"),
    questions: mapped(required(decoded, "questions"), toQuestionOutcomes),
    short_calls: required(decoded, "short_calls"),
    silent_answers: required(decoded, "silent_answers"),
    engaged_calls: required(decoded, "engaged_calls"),
    answered_duration_s_sum: required(decoded, "answered_duration_s_sum"),
    answered_hangup_types: required(decoded, "answered_hangup_types"),
    answered_on_attempt: required(decoded, "answered_on_attempt"),
    reached_attempt: required(decoded, "reached_attempt"),
    duration_s_histogram: required(decoded, "duration_s_histogram"),
    answered_ring_time_s_histogram: required(decoded, "answered_ring_time_s_histogram"),
    unanswered_ring_time_s_histogram: required(decoded, "unanswered_ring_time_s_histogram"),
    never_rang_conflicts: required(decoded, "never_rang_conflicts"),
    call_times_conflicts: required(decoded, "call_times_conflicts"),
    by_workflow: mapped(required(decoded, "by_workflow"), toLineWorkflowOutcomes),
    overflow: decoded.overflow ?? {},
    contradictions: decoded.contradictions ?? {},
    workflow_names: decoded.workflow_names ?? {},
  };
}

/** One header of a record. */
export interface KeptHeader {
  /** Its name. */
  name: string;
  /** Its value; null for a header without one. */
  value: Uint8Array | null;
}

/** Throws TypeError when a field without a default is missing. */
export function toKeptHeader(decoded: Decoded): KeptHeader {
  return {
    name: required(decoded, "name"),
    value: decoded.value ?? null,
  };
}

/** A record that could not be processed, kept as it was, with its origin and the reason. */
export interface DeadLetter {
  /** Where it was read. */
  source_topic: string;
  /** Its partition. */
  source_partition: number;
  /** Its offset. */
  source_offset: number;
  /** Its key as it was; its beginning where is_cut. */
  key: Uint8Array | null;
  /** Its value as it was; null for a tombstone; its beginning where is_cut. */
  value: Uint8Array | null;
  /** Its headers as they were; of repeated names the last (all_headers has them all). */
  headers: Record<string, Uint8Array>;
  /** Why, from a closed set: undecodable, unknown_schema, invalid, too_large, refused. */
  reason: string;
  /** What was wrong, without values of personal fields. */
  detail: string;
  /** When the record that was given up had been appended to its topic: so a letter written again has the same bytes. */
  failed_at: Date;
  /**
   * Whether the record was too large to be kept whole: key, value and headers are beginnings, and it cannot be
   * replayed from here. The whole stands at its origin for as long as that topic keeps it.
   */
  is_cut: boolean;
  /** Where is_cut: the size of the whole key. */
  key_bytes: number;
  /** Where is_cut: hex SHA-256 of the whole key. */
  key_sha256: string;
  /** Where is_cut: the size of the whole value. */
  value_bytes: number;
  /** Where is_cut: hex SHA-256 of the whole value. */
  value_sha256: string;
  /** Where is_cut: how many headers the record has. */
  headers_count: number;
  /** All headers in their order, where a name was repeated; else empty. */
  all_headers: KeptHeader[];
}

/** Throws TypeError when a field without a default is missing. */
export function toDeadLetter(decoded: Decoded): DeadLetter {
  return {
    source_topic: required(decoded, "source_topic"),
    source_partition: required(decoded, "source_partition"),
    source_offset: required(decoded, "source_offset"),
    key: decoded.key ?? null,
    value: decoded.value ?? null,
    headers: decoded.headers ?? {},
    reason: decoded.reason ?? "unknown",
    detail: decoded.detail ?? "",
    failed_at: decoded.failed_at ?? new Date(0),
    is_cut: decoded.is_cut ?? false,
    key_bytes: decoded.key_bytes ?? 0,
    key_sha256: decoded.key_sha256 ?? "",
    value_bytes: decoded.value_bytes ?? 0,
    value_sha256: decoded.value_sha256 ?? "",
    headers_count: decoded.headers_count ?? 0,
    all_headers: (decoded.all_headers ?? []).map(toKeptHeader),
  };
}

/** One node of the workflow, as sent. */
export interface WorkflowAction {
  /** The node. */
  nodetask_id: string | null;
  /** Its name. */
  nodetask_name: string | null;
  /** The provider's word for what the node does. */
  node_type: string | null;
  /** The task the node started, if any. */
  task_id: string | null;
  /** The provider's word for that task's state. */
  task_status: string | null;
  /**
   * Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
   * a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
   * rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toWorkflowAction(decoded: Decoded): WorkflowAction {
  return {
    nodetask_id: decoded.nodetask_id ?? null,
    nodetask_name: decoded.nodetask_name ?? null,
    node_type: decoded.node_type ?? null,
    task_id: decoded.task_id ?? null,
    task_status: decoded.task_status ?? null,
    extra: decoded.extra ?? {},
  };
}

/**
 * One change of a workflow's status, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt from
 * it. Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the same
 * object has its value as sent.
 */
export interface WorkflowStatusChange {
  /** Hex SHA-256 of the raw body: equal bodies have equal ids. */
  event_id: string;
  /** When the gateway had received the whole body; of an import, when it was imported. */
  received_at: Date;
  /** Which webhook: workflow-status-change. */
  kind: string;
  /**
   * The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
   * 'import' when `gateway import` published it, which verifies nothing.
   */
  signature_scheme: string;
  /** The id of the key that verified it; null when none did. */
  signature_key_id: string | null;
  /** The provider's workflow. */
  workflow_id: string | null;
  /** Its name. */
  workflow_name: string | null;
  /** The provider's word for the workflow's new state. */
  status: string | null;
  /** Its nodes, in the order sent. */
  actions: WorkflowAction[] | null;
  /**
   * Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
   * a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
   * rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toWorkflowStatusChange(decoded: Decoded): WorkflowStatusChange {
  return {
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    kind: decoded.kind ?? "workflow-status-change",
    signature_scheme: decoded.signature_scheme ?? "none",
    signature_key_id: decoded.signature_key_id ?? null,
    workflow_id: decoded.workflow_id ?? null,
    workflow_name: decoded.workflow_name ?? null,
    status: decoded.status ?? null,
    actions: decoded.actions == null ? null : (decoded.actions).map(toWorkflowAction),
    extra: decoded.extra ?? {},
  };
}

/** What a message holds, as sent. */
export interface ChatbotMessageContent {
  /** The provider's word for the kind of content. */
  type: string | null;
  /**
   * Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
   * a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
   * rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toChatbotMessageContent(decoded: Decoded): ChatbotMessageContent {
  return {
    type: decoded.type ?? null,
    extra: decoded.extra ?? {},
  };
}

/** One message of the session, as sent. */
export interface ChatbotMessage {
  /** The message. */
  msg_id: string | null;
  /** Who wrote it: system, chatbot, user. */
  sender_type: string | null;
  /** When, as sent: Unix seconds. */
  timestamp: number | null;
  /** The provider's word for what became of it. */
  status: string | null;
  /** What it says. */
  content: ChatbotMessageContent | null;
  /**
   * Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
   * a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
   * rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toChatbotMessage(decoded: Decoded): ChatbotMessage {
  return {
    msg_id: decoded.msg_id ?? null,
    sender_type: decoded.sender_type ?? null,
    timestamp: decoded.timestamp ?? null,
    status: decoded.status ?? null,
    content: decoded.content == null ? null : toChatbotMessageContent(decoded.content),
    extra: decoded.extra ?? {},
  };
}

/**
 * The end of one chat session, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt from it.
 * Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the same
 * object has its value as sent.
 */
export interface ChatbotSessionEnd {
  /** Hex SHA-256 of the raw body: equal bodies have equal ids. */
  event_id: string;
  /** When the gateway had received the whole body; of an import, when it was imported. */
  received_at: Date;
  /** Which webhook: chatbot-session-end. */
  kind: string;
  /**
   * The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
   * 'import' when `gateway import` published it, which verifies nothing.
   */
  signature_scheme: string;
  /** The id of the key that verified it; null when none did. */
  signature_key_id: string | null;
  /** The provider's workflow. */
  workflow_id: string | null;
  /** Its name. */
  workflow_name: string | null;
  /** The node of the workflow that chatted. */
  nodetask_id: string | null;
  /** Its name. */
  nodetask_name: string | null;
  /** The WhatsApp Business task. */
  waba_task_id: string | null;
  /** The provider's id of this contact within the workflow. */
  wfdetail_uuid: string | null;
  /** When the provider made the delivery, as sent: Unix seconds. */
  timestamp: number | null;
  /** The provider's word for the channel, such as WhatsApp. */
  channel: string | null;
  /** The channel's own id. */
  channel_id: string | null;
  /** The number chatted with, as sent. */
  callee: string | null;
  /** The chat session; the name is the provider's. */
  call_id: string | null;
  /** The chatbot. */
  robot_id: string | null;
  /** The provider's word for the session's state, such as closed. */
  status: string | null;
  /** As sent: ISO 8601 with Z. */
  session_start_time: string | null;
  /** As sent: ISO 8601 with Z. */
  session_end_time: string | null;
  /** The provider's word for why it ended. */
  session_end_reason: string | null;
  /** The intention the provider found. */
  intention: string | null;
  /** Exchanges, as sent. */
  talk_round: number | null;
  /** What was recognised, by slot. */
  ner_slots: Record<string, string> | null;
  /** The provider's labels, by name. */
  event_label: Record<string, string> | null;
  /** The variables the session was started with. */
  variables: Record<string, string> | null;
  /** Every message, in the order sent. */
  messages: ChatbotMessage[] | null;
  /**
   * Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
   * a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
   * rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toChatbotSessionEnd(decoded: Decoded): ChatbotSessionEnd {
  return {
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    kind: decoded.kind ?? "chatbot-session-end",
    signature_scheme: decoded.signature_scheme ?? "none",
    signature_key_id: decoded.signature_key_id ?? null,
    workflow_id: decoded.workflow_id ?? null,
    workflow_name: decoded.workflow_name ?? null,
    nodetask_id: decoded.nodetask_id ?? null,
    nodetask_name: decoded.nodetask_name ?? null,
    waba_task_id: decoded.waba_task_id ?? null,
    wfdetail_uuid: decoded.wfdetail_uuid ?? null,
    timestamp: decoded.timestamp ?? null,
    channel: decoded.channel ?? null,
    channel_id: decoded.channel_id ?? null,
    callee: decoded.callee ?? null,
    call_id: decoded.call_id ?? null,
    robot_id: decoded.robot_id ?? null,
    status: decoded.status ?? null,
    session_start_time: decoded.session_start_time ?? null,
    session_end_time: decoded.session_end_time ?? null,
    session_end_reason: decoded.session_end_reason ?? null,
    intention: decoded.intention ?? null,
    talk_round: decoded.talk_round ?? null,
    ner_slots: decoded.ner_slots ?? null,
    event_label: decoded.event_label ?? null,
    variables: decoded.variables ?? null,
    messages: decoded.messages == null ? null : (decoded.messages).map(toChatbotMessage),
    extra: decoded.extra ?? {},
  };
}

/**
 * One change of a predictive dialer's task, contact or agent, verified and uninterpreted. Lossless: the provider's
 * JSON can be rebuilt from it. The provider publishes no fields of it: type, body and the two ids are known from
 * its users. A field is null when it was not sent, or when `extra` has its value.
 */
export interface PredictiveDialerStatus {
  /** Hex SHA-256 of the raw body: equal bodies have equal ids. */
  event_id: string;
  /** When the gateway had received the whole body; of an import, when it was imported. */
  received_at: Date;
  /** Which webhook: predictive-dialer-status. */
  kind: string;
  /**
   * The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
   * 'import' when `gateway import` published it, which verifies nothing.
   */
  signature_scheme: string;
  /** The id of the key that verified it; null when none did. */
  signature_key_id: string | null;
  /** What changed: TaskStatus, ContactStatus or AgentStatus; other words may come. */
  type: string | null;
  /** The dialer's task: `taskId` of the body where that is text or an integer. */
  task_id: string | null;
  /** The call: `callid` of the body where that is text or an integer. */
  call_id: string | null;
  /**
   * The envelope's `body`, a JSON object, as the text that was sent: its key order, repeated keys, numbers and
   * escapes are the sender's. May hold phone numbers and what was said.
   */
  body: string | null;
  /**
   * Fields of the envelope that this schema has no place for, and known ones whose value is not as expected (JSON
   * null, another type): name as sent -> JSON text. Wins over the typed field when the JSON is rebuilt.
   */
  extra: Record<string, string>;
}

/** Throws TypeError when a field without a default is missing. */
export function toPredictiveDialerStatus(decoded: Decoded): PredictiveDialerStatus {
  return {
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    kind: decoded.kind ?? "predictive-dialer-status",
    signature_scheme: decoded.signature_scheme ?? "none",
    signature_key_id: decoded.signature_key_id ?? null,
    type: decoded.type ?? null,
    task_id: decoded.task_id ?? null,
    call_id: decoded.call_id ?? null,
    body: decoded.body ?? null,
    extra: decoded.extra ?? {},
  };
}

/**
 * One delivery of a webhook whose fields are not known yet: any verified JSON, uninterpreted, under the name that
 * its path gave it. Lossless: the exact bytes of the request's body can be had from it.
 */
export interface Event {
  /**
   * The record's own id, equal on every repeat and in ce_id. Name and event_id make it: the same body at two names
   * is two events.
   */
  record_id: string;
  /** Hex SHA-256 of the raw body: equal bodies have equal ids. */
  event_id: string;
  /** When the gateway had received the whole body; of an import, when it was imported. */
  received_at: Date;
  /** Which webhook: events. */
  kind: string;
  /** The event's name: the last part of the path, 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or a digit. */
  name: string;
  /**
   * The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
   * 'import' when `gateway import` published it, which verifies nothing.
   */
  signature_scheme: string;
  /** The id of the key that verified it; null when none did. */
  signature_key_id: string | null;
  /**
   * The request's body as it came: JSON text of any type, nested 64 deep at most. Key order, repeated keys, numbers
   * and escapes are the sender's. May hold phone numbers and what was said.
   */
  body: string;
  /** Whether a UTF-8 byte order mark came before the body; it is not part of `body`. */
  has_byte_order_mark: boolean;
}

/** Throws TypeError when a field without a default is missing. */
export function toEvent(decoded: Decoded): Event {
  return {
    record_id: required(decoded, "record_id"),
    event_id: required(decoded, "event_id"),
    received_at: decoded.received_at ?? new Date(0),
    kind: decoded.kind ?? "events",
    name: decoded.name ?? "",
    signature_scheme: decoded.signature_scheme ?? "none",
    signature_key_id: decoded.signature_key_id ?? null,
    body: decoded.body ?? "null",
    has_byte_order_mark: decoded.has_byte_order_mark ?? false,
  };
}
