import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.avro.generic.GenericRecord;

/** disposition_of and question_state in streams/outcomes.py, rule for rule. */
final class Disposition {
    private static final Map<String, String> BY_RING_TYPE = Map.of(
        "busy", "user_busy", "holdline", "user_busy", "switchoff", "subscriber_absent", "outofarea",
        "subscriber_absent", "unregister", "subscriber_absent", "cantuse", "subscriber_barred", "wrongnum",
        "bad_number");
    private static final Set<String> UNREACHABLE = Set.of("switchoff", "outofarea", "unregister", "cantuse", "wrongnum");
    private static final Set<String> RANG_OR_NOT = Set.of("normal", "notmatch");
    private static final Set<String> NEVER_RANG = Set.of("normal", "notmatch", "null");
    private static final Set<String> NOT_DIALLED = Set.of("cancelled", "canceled", "created", "pending");

    private Disposition() {}

    static String of(Object result, GenericRecord dial, Long duration, Long talkRound) {
        String ring = word(dial.get("ring_type"));
        String hangup = word(dial.get("hangup_type"));
        boolean rang = isPositive(dial.get("ring_time"));
        if (isPositive(talkRound) || isPositive(duration) && !UNREACHABLE.contains(ring)) {
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

    static String ofQuestion(GenericRecord question) {
        return switch (word(question.get("status"))) {
            case "completed" -> "completed";
            case "skip" -> "skipped";
            default -> word(question.get("whether_answer")).equals("hangup") ? "broke_off" : "not_reached";
        };
    }

    private static boolean isPositive(Object number) {
        return number instanceof Long value && value > 0;
    }

    private static String word(Object value) {
        return value == null || value.toString().isEmpty() ? "null" : value.toString().toLowerCase(Locale.ROOT);
    }
}
