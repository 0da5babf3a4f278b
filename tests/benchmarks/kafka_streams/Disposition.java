import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.avro.generic.GenericRecord;

/** disposition_of in streams/outcomes.py, rule for rule. */
final class Disposition {
    private static final Map<String, String> BY_RING_TYPE = Map.of(
        "busy", "user_busy", "holdline", "user_busy", "switchoff", "subscriber_absent", "outofarea",
        "subscriber_absent", "unregister", "subscriber_absent", "cantuse", "subscriber_barred", "wrongnum",
        "bad_number");
    private static final Set<String> RANG_OR_NOT = Set.of("normal", "notmatch");
    private static final Set<String> NEVER_RANG = Set.of("normal", "notmatch", "null");
    private static final Set<String> NOT_DIALLED = Set.of("cancelled", "canceled", "created", "pending");

    private Disposition() {}

    static String of(Object result, GenericRecord dial, Long duration) {
        String ring = word(dial.get("ring_type"));
        String hangup = word(dial.get("hangup_type"));
        boolean rang = dial.get("ring_time") instanceof Long seconds && seconds > 0;
        if (duration != null && duration > 0) {
            return "answered";
        }
        if (BY_RING_TYPE.containsKey(ring)) {
            return BY_RING_TYPE.get(ring);
        }
        if (rang && RANG_OR_NOT.contains(ring)) {
            return hangup.equals("bycallee") ? "rejected" : "no_answer";
        }
        if (rang || !NEVER_RANG.contains(ring)) {
            return "unknown";
        }
        return NOT_DIALLED.contains(word(result)) || hangup.equals("canceled") ? "unknown" : "pre_alert_failure";
    }

    private static String word(Object value) {
        return value == null || value.toString().isEmpty() ? "null" : value.toString().toLowerCase(Locale.ROOT);
    }
}
