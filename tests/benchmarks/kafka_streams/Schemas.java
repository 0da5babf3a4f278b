import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/** The records' schemas and the registry's ids: generic records to and from the Confluent wire format. One thread. */
final class Schemas {
    private static final int PREFIX_BYTES = 5;

    final Kind call;
    final Kind answer;
    final Kind attempt;
    private final GenericDatumReader<GenericRecord> callbacks;
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(4096);
    private BinaryDecoder decoder;
    private BinaryEncoder encoder;

    Schemas(Path directory, Map<String, String> settings) {
        call = new Kind("Call", "airudder.calls.v1", directory, settings);
        answer = new Kind("Answer", "airudder.answers.v1", directory, settings);
        attempt = new Kind("CallAttempt", "airudder.call-attempts.v1", directory, settings);
        callbacks = new GenericDatumReader<>(parse(directory, "Callback"));
    }

    /** One kind of record: its schema, its topic and the id there. */
    static final class Kind {
        final String name;
        final String topic;
        final Schema schema;
        private final int id;
        private final GenericDatumWriter<GenericRecord> writer;

        Kind(String name, String topic, Path directory, Map<String, String> settings) {
            this.name = name;
            this.topic = topic;
            this.schema = parse(directory, name);
            this.id = Integer.parseInt(settings.get("id." + topic));
            this.writer = new GenericDatumWriter<>(schema);
        }

        GenericRecord create() {
            return new GenericData.Record(schema);
        }
    }

    GenericRecord readCallback(byte[] bytes) {
        try {
            decoder = DecoderFactory.get().binaryDecoder(bytes, PREFIX_BYTES, bytes.length - PREFIX_BYTES, decoder);
            return callbacks.read(null, decoder);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    Main.Output write(Kind kind, GenericRecord record) {
        try {
            buffer.reset();
            buffer.write(ByteBuffer.allocate(PREFIX_BYTES).put((byte) 0).putInt(kind.id).array());
            encoder = EncoderFactory.get().binaryEncoder(buffer, encoder);
            kind.writer.write(record, encoder);
            encoder.flush();
            return new Main.Output(kind.topic, buffer.toByteArray());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Schema parse(Path directory, String name) {
        try {
            return new Schema.Parser().parse(directory.resolve("airudder." + name + ".avsc").toFile());
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
