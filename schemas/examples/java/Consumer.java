// Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Consumer {
    static final String BOOTSTRAP_SERVERS = env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092");
    static final String REGISTRY_URL = env("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7");
    static final String TOPIC = env("TOPIC", "airudder.calls.v1");
    static final String GROUP = env("GROUP", "my-service");
    static final int REMEMBERED = 100_000; // ids and keys in memory; a repeat or a correction comes within minutes, as a rule
    static final List<String> SHOWN = List.of(
            "disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered");
    static final ObjectMapper JSON = new ObjectMapper();

    static volatile boolean isRunning = true;
    static volatile int code = 1;

    final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    final HttpClient http = HttpClient.newHttpClient();
    final Map<Integer, GenericDatumReader<GenericRecord>> readers = new HashMap<>();
    final Map<String, Boolean> seen = memory(); // topic and ce_id of what was handled
    final Map<String, Long> revisions = memory(); // topic and key -> highest revision

    public static void main(String[] arguments) throws Exception {
        System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "warn");
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> endAfter(main)));
        Map<String, Object> settings = Map.of(
                "bootstrap.servers", BOOTSTRAP_SERVERS,
                "group.id", GROUP,
                "auto.offset.reset", "earliest",
                "enable.auto.commit", "false",
                "isolation.level", "read_committed",
                "allow.auto.create.topics", "false");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            new Consumer().run(consumer);
        }
        code = 0;
    }

    /** Ctrl-C or SIGTERM: let the last records be committed first. */
    static void endAfter(Thread main) {
        isRunning = false;
        try {
            main.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        Runtime.getRuntime().halt(code);
    }

    void run(KafkaConsumer<String, byte[]> consumer) throws Exception {
        consumer.subscribe(List.of(TOPIC));
        while (isRunning) {
            for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                handle(record);
            }
            consumer.commitSync(); // what was handled
        }
    }

    void handle(ConsumerRecord<String, byte[]> record) throws Exception {
        if (record.headers().lastHeader("synthetic") != null) {
            return; // a probe
        }
        String place = record.topic() + "[" + record.partition() + "]@" + record.offset();
        String id;
        GenericRecord value;
        try {
            value = decode(record.value());
            id = idOf(record);
        } catch (Undecodable error) {
            System.err.println("set aside: " + place + " cannot be decoded: " + error.getMessage());
            return;
        }
        if (seen.containsKey(record.topic() + " " + id)) {
            return; // a repeat
        }
        Long revision = value.hasField("revision") ? ((Number) value.get("revision")).longValue() : null;
        if (revision != null) {
            String name = record.topic() + " " + record.key();
            if (revision < revisions.getOrDefault(name, 0L)) {
                return; // older than what we have
            }
            revisions.put(name, revision);
        }
        workWith(record.topic(), id, record.key(), revision, value);
        seen.put(record.topic() + " " + id, true);
    }

    /** Your work. A higher `revision` of a key replaces what you had of it; words may be new. */
    void workWith(String topic, String id, String key, Long revision, GenericRecord value) throws IOException {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("topic", topic);
        line.put("ce_id", id);
        line.put("key", key);
        line.put("revision", revision);
        for (String name : SHOWN) {
            if (value.hasField(name)) {
                Object shown = value.get(name);
                line.put(name, shown instanceof CharSequence ? shown.toString() : shown);
            }
        }
        out.println(JSON.writeValueAsString(line));
    }

    static String idOf(ConsumerRecord<String, byte[]> record) throws Undecodable {
        Header id = record.headers().lastHeader("ce_id");
        if (id == null || record.key() == null) {
            throw new Undecodable("no ce_id or no key");
        }
        return new String(id.value(), StandardCharsets.UTF_8);
    }

    /** The record in the Confluent wire format: a zero byte, 4 bytes of schema id, Avro. */
    GenericRecord decode(byte[] value) throws Undecodable, IOException, InterruptedException {
        if (value == null || value.length < 5 || value[0] != 0) {
            throw new Undecodable("no Confluent wire format");
        }
        GenericDatumReader<GenericRecord> reader = readerOf(ByteBuffer.wrap(value).getInt(1));
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
        try {
            GenericRecord record = reader.read(null, decoder);
            if (!decoder.isEnd()) {
                throw new Undecodable("bytes after the record");
            }
            return record;
        } catch (IOException | RuntimeException error) {
            throw new Undecodable(error.toString());
        }
    }

    /** The reader of a schema id. Ids differ between installations: look each up, once. */
    GenericDatumReader<GenericRecord> readerOf(int id) throws Undecodable, IOException, InterruptedException {
        if (!readers.containsKey(id)) {
            URI url = URI.create(REGISTRY_URL + "/schemas/ids/" + id);
            var request = HttpRequest.newBuilder(url).timeout(Duration.ofSeconds(10)).build();
            var answer = http.send(request, BodyHandlers.ofString());
            if (answer.statusCode() == 404) {
                throw new Undecodable("the registry does not know schema " + id);
            }
            if (answer.statusCode() != 200) { // ends the program; nothing is committed, so a restart reads it again
                throw new IOException("the registry answered " + answer.statusCode());
            }
            readers.put(id, readerOf(JSON.readTree(answer.body()).get("schema").asText()));
        }
        return readers.get(id);
    }

    static GenericDatumReader<GenericRecord> readerOf(String text) throws Undecodable {
        try {
            Schema schema = new Schema.Parser().parse(text);
            GenericData types = new GenericData();
            types.addLogicalTypeConversion(new TimeConversions.TimestampMillisConversion()); // instants become Instant
            return new GenericDatumReader<>(schema, schema, types);
        } catch (RuntimeException error) {
            throw new Undecodable(error.toString());
        }
    }

    static class Undecodable extends Exception {
        Undecodable(String message) {
            super(message);
        }
    }

    static <V> Map<String, V> memory() {
        return new LinkedHashMap<>() {
            @Override
            protected boolean removeEldestEntry(Map.Entry<String, V> eldest) {
                return size() > REMEMBERED;
            }
        };
    }

    static String env(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }
}
