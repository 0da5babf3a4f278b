import java.nio.charset.StandardCharsets;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.streams.processor.TimestampExtractor;

/** Event time: of a change, the end of its call, which is its value; of a callback, its arrival until it is decoded. */
public final class EventTime implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
        if (record.value() instanceof Main.Output change) {
            return Long.parseLong(new String(change.value(), StandardCharsets.US_ASCII));
        }
        return record.timestamp();
    }
}
