import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.state.WindowStore;

/** Fan-out and two windowed counts in Kafka Streams' own DSL. Arguments are name=value; see kafka_streams.py. */
public final class Main {
    static final String CALLBACKS = "airudder.callbacks.v1";
    static final String BY_WORKFLOW = "by-workflow";
    static final String BY_SIP_LINE = "by-sip-line";

    public static void main(String[] arguments) {
        Map<String, String> settings = new HashMap<>();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            settings.put(pair[0], pair[1]);
        }
        StreamsBuilder builder = new StreamsBuilder();
        build(builder, settings);
        KafkaStreams streams = new KafkaStreams(builder.build(), properties(settings));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(70);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
    }

    static void build(StreamsBuilder builder, Map<String, String> settings) {
        Schemas schemas = new Schemas(Path.of(settings.get("avro")), settings);
        KStream<String, Output> fanned = builder
            .stream(CALLBACKS, Consumed.with(Serdes.String(), Serdes.ByteArray()))
            .process(() -> new FanOut(schemas));
        fanned
            .filter((key, output) -> output.topic().startsWith("airudder."))
            .to((key, output, context) -> output.topic(), Produced.with(Serdes.String(), OUTPUTS));
        count(fanned, BY_WORKFLOW, "airudder.workflow-outcomes.v1", settings);
        count(fanned, BY_SIP_LINE, "airudder.sip-line-outcomes.v1", settings);
    }

    static void count(KStream<String, Output> fanned, String name, String results, Map<String, String> settings) {
        TimeWindows windows = TimeWindows.ofSizeAndGrace(
            Duration.ofMillis(Long.parseLong(settings.get("window_ms"))),
            Duration.ofMillis(Long.parseLong(settings.get("grace_ms"))));
        fanned
            .filter((key, output) -> output.topic().equals(name))
            .groupByKey(Grouped.with(name, Serdes.String(), OUTPUTS))
            .windowedBy(windows)
            .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as(name).withKeySerde(Serdes.String()))
            .toStream((window, count) -> window.key() + "|" + window.window().start())
            .mapValues(count -> Long.toString(count))
            .to(results, Produced.with(Serdes.String(), Serdes.String()));
    }

    static Properties properties(Map<String, String> settings) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, settings.get("group"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.get("bootstrap"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, settings.get("directory"));
        properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, settings.get("guarantee"));
        properties.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        properties.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
        properties.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        properties.put(StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG, EventTime.class);
        properties.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "zstd");
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 5);
        properties.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 512 * 1024);
        return properties;
    }

    /** One record on its way: its topic, or the name of the count that it changes, and its bytes. */
    record Output(String topic, byte[] value) {}

    /** In a re-keyed topic there are only changes, and only their bytes matter there. */
    static final Serde<Output> OUTPUTS = Serdes.serdeFrom(
        (Serializer<Output>) (topic, output) -> output == null ? null : output.value(),
        (Deserializer<Output>) (topic, value) -> new Output(topic, value));
}
