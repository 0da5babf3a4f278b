import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.Record;

/** streams/fanout.py in Java: one callback of one detail to its Call, Answers, CallAttempts and two changes. */
final class FanOut extends ContextualProcessor<String, byte[], String, Main.Output> {
    private static final DateTimeFormatter SENT = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss");
    private static final DateTimeFormatter RFC3339 =
        DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private static final String[] OF_THE_DELIVERY = {
        "event_id", "workflow_id", "workflow_name", "nodetask_id", "nodetask_name", "task_id", "task_name", "sip_line"};
    private static final String[] OF_THE_QUESTION = {
        "question_name", "question_type", "status", "answer", "answer_text", "answer_text_slot", "var",
        "verification_results", "whether_answer"};
    private static final int ID_DIGITS = 32;

    private final Schemas schemas;
    private final MessageDigest sha256;

    FanOut(Schemas schemas) {
        this.schemas = schemas;
        try {
            sha256 = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void process(Record<String, byte[]> record) {
        GenericRecord callback = schemas.readCallback(record.value());
        GenericRecord detail = (GenericRecord) ((List<?>) callback.get("details")).get(0);
        String callId = detail.get("call_id").toString();
        long endedAt = millis(detail.get("call_end_time"));
        Emitter emitter = new Emitter(callId, endedAt, record.headers());
        List<GenericRecord> attempts = attempts(callback, detail, callId);
        List<?> questions = (List<?>) detail.get("question_answer");
        emitter.emit(schemas.call, call(callback, detail, callId, endedAt, attempts, questions.size()));
        for (int position = 0; position < questions.size(); position++) {
            GenericRecord question = (GenericRecord) questions.get(position);
            emitter.emit(schemas.answer, answer(callback, detail, callId, endedAt, question, position, questions.size()));
        }
        for (GenericRecord attempt : attempts) {
            emitter.emit(schemas.attempt, attempt);
        }
        byte[] change = Long.toString(endedAt).getBytes(StandardCharsets.US_ASCII);
        change(Main.BY_WORKFLOW, callback.get("workflow_id").toString(), change, endedAt);
        change(Main.BY_SIP_LINE, callback.get("sip_line").toString(), change, endedAt);
    }

    private void change(String name, String key, byte[] value, long endedAt) {
        context().forward(new Record<>(key, new Main.Output(name, value), endedAt));
    }

    /** Sends the records of one callback with their headers. */
    private final class Emitter {
        private final String key;
        private final long endedAt;
        private final String trace;
        private final String flags;
        private final byte[] time;

        Emitter(String key, long endedAt, Headers sent) {
            String parent = new String(sent.lastHeader("traceparent").value(), StandardCharsets.US_ASCII);
            this.key = key;
            this.endedAt = endedAt;
            this.trace = parent.substring(0, 3 + ID_DIGITS);
            this.flags = parent.substring(parent.length() - 2);
            this.time = RFC3339.format(Instant.ofEpochMilli(endedAt)).getBytes(StandardCharsets.US_ASCII);
        }

        void emit(Schemas.Kind kind, GenericRecord record) {
            String id = record.get("record_id").toString();
            Headers headers = new RecordHeaders()
                .add("ce_specversion", ascii("1.0"))
                .add("ce_id", ascii(id))
                .add("ce_source", ascii("/airudder/streams"))
                .add("ce_type", ascii("airudder." + kind.name + ".v1"))
                .add("ce_time", time)
                .add("content-type", ascii("application/avro"))
                .add("traceparent", ascii(trace + "-" + id.substring(0, 16) + "-" + flags));
            context().forward(new Record<>(key, schemas.write(kind, record), endedAt, headers));
        }
    }

    private GenericRecord call(GenericRecord callback, GenericRecord detail, String callId, long endedAt,
                               List<GenericRecord> attempts, int answers) {
        GenericRecord call = schemas.call.create();
        copy(callback, call, OF_THE_DELIVERY);
        copy(callback, call, "received_at", "repeat_interval", "repeat_number", "robot_method");
        copy(detail, call, "case_id", "callee", "caller_number", "result", "result_label", "hangup_type", "ring_type",
            "talk_round", "call_times", "robot_hash", "intention_description", "variables");
        call.put("record_id", recordId("call", callback, callId, 0));
        call.put("call_id", callId);
        call.put("revision", 1);
        call.put("detail_id", detail.get("id"));
        call.put("disposition", attempts.get(attempts.size() - 1).get("disposition"));
        call.put("duration_s", detail.get("duration"));
        call.put("ring_time_s", detail.get("ring_time"));
        call.put("started_at", millis(detail.get("call_start_time")));
        call.put("ended_at", endedAt);
        call.put("ended_at_source", "provider");
        call.put("task_status", callback.get("status"));
        call.put("task_created_at", millis(callback.get("created_at")));
        call.put("schedule_start_at", millis(callback.get("schedule_start_time")));
        call.put("schedule_end_at", millis(callback.get("schedule_end_time")));
        call.put("extra", Map.of());
        call.put("ner_slots", orEmpty(detail.get("ner_slots")));
        call.put("event_labels", orEmpty(detail.get("event_label")));
        call.put("answer_count", answers);
        call.put("attempt_count", attempts.size());
        return call;
    }

    private GenericRecord answer(GenericRecord callback, GenericRecord detail, String callId, long endedAt,
                                 GenericRecord question, int position, int count) {
        GenericRecord answer = schemas.answer.create();
        copy(callback, answer, "event_id", "workflow_id", "sip_line");
        copy(detail, answer, "case_id", "callee");
        copy(question, answer, OF_THE_QUESTION);
        answer.put("record_id", recordId("answer", callback, callId, position));
        answer.put("call_id", callId);
        answer.put("revision", 1);
        answer.put("position", position);
        answer.put("question_content", readable(question.get("question_content")));
        answer.put("call_ended_at", endedAt);
        answer.put("call_ended_at_source", "provider");
        answer.put("answer_count", count);
        answer.put("state", Disposition.ofQuestion(question));
        return answer;
    }

    private List<GenericRecord> attempts(GenericRecord callback, GenericRecord detail, String callId) {
        List<GenericRecord> redials = new ArrayList<>();
        if (detail.get("redial_calls") instanceof List<?> sent) {
            sent.forEach(redial -> redials.add((GenericRecord) redial));
            redials.sort(Comparator.comparingLong(redial -> millis(redial.get("call_start_time"))));
            Set<String> seen = new HashSet<>(Set.of(callId));
            redials.removeIf(redial -> !seen.add(redial.get("call_id").toString()));
        }
        List<GenericRecord> attempts = new ArrayList<>();
        for (GenericRecord redial : redials) {
            GenericRecord attempt = attempt(callback, redial, callId, attempts.size() + 1, false);
            copy(redial, attempt, "call_id", "caller_number");
            attempt.put("callee", redial.get("callee_number"));
            attempt.put("disposition", Disposition.of(null, redial, null, null));
            attempts.add(attempt);
        }
        GenericRecord last = attempt(callback, detail, callId, attempts.size() + 1, true);
        copy(detail, last, "callee", "caller_number");
        last.put("call_id", callId);
        last.put("duration_s", detail.get("duration"));
        last.put("disposition", Disposition.of(
            detail.get("result"), detail, (Long) detail.get("duration"), (Long) detail.get("talk_round")));
        attempts.add(last);
        attempts.forEach(attempt -> attempt.put("attempt_count", attempts.size()));
        return attempts;
    }

    private GenericRecord attempt(GenericRecord callback, GenericRecord dial, String callId, int number, boolean last) {
        GenericRecord attempt = schemas.attempt.create();
        copy(callback, attempt, "event_id", "workflow_id", "sip_line");
        copy(dial, attempt, "ring_type", "hangup_type", "result_label");
        attempt.put("record_id", recordId("attempt", callback, callId, number));
        attempt.put("final_call_id", callId);
        attempt.put("revision", 1);
        attempt.put("attempt_number", number);
        attempt.put("is_final", last);
        attempt.put("ring_time_s", dial.get("ring_time"));
        attempt.put("started_at", millis(dial.get("call_start_time")));
        return attempt;
    }

    private String recordId(String kind, GenericRecord callback, String callId, int position) {
        String parts = String.join("\u001f", kind, callback.get("event_id").toString(),
            callback.get("detail_offset").toString(), callId, "1", Integer.toString(position));
        byte[] digest = sha256.digest(parts.getBytes(StandardCharsets.UTF_8));
        return HexFormat.of().formatHex(digest, 0, ID_DIGITS / 2);
    }

    private static void copy(GenericRecord from, GenericRecord to, String... names) {
        for (String name : names) {
            to.put(name, from.get(name));
        }
    }

    private static Object orEmpty(Object map) {
        return map == null ? Map.of() : map;
    }

    /** Text that was escaped twice does not occur in this input; finding it would be a wrong result, so it ends the run. */
    private static Object readable(Object text) {
        if (text != null && text.toString().contains("\\u")) {
            throw new IllegalStateException("escaped text");
        }
        return text;
    }

    private static long millis(Object text) {
        return LocalDateTime.parse(text.toString(), SENT).toInstant(ZoneOffset.UTC).toEpochMilli();
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
