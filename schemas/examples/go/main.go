// Prints the records of one topic, a JSON line each. Ctrl-C or SIGTERM ends it; the next start goes on from there.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
)

const remembered = 100_000 // ids and keys that are kept in memory; a repeat or a correction comes within minutes, as a rule

var (
	bootstrapServers = env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092")
	registryURL      = env("SCHEMA_REGISTRY_URL", "http://127.0.0.1:8081/apis/ccompat/v7")
	topic            = env("TOPIC", "airudder.calls.v1")
	group            = env("GROUP", "my-service")
	shown            = []string{"disposition", "duration_s", "position", "question_name", "state", "attempt_number", "calls", "answered"}

	registry       = http.Client{Timeout: 10 * time.Second}
	schemas        = map[uint32]*avro.Schema{}
	seen           = newMemory[bool]()  // topic and ce_id of what was handled
	revisions      = newMemory[int64]() // topic and key -> highest revision
	errUndecodable = errors.New("cannot be decoded")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(bootstrapServers, ",")...),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // no partition leaves between the work and its commit
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, record := range fetches.Records() {
			if err := handle(record); err != nil {
				return err // nothing of this batch is committed, so the next start reads it again
			}
		}
		if err := client.CommitUncommittedOffsets(context.Background()); err != nil { // what was handled
			return err
		}
		client.AllowRebalance()
	}
}

func handle(record *kgo.Record) error {
	if _, isProbe := header(record, "synthetic"); isProbe {
		return nil
	}
	place := fmt.Sprintf("%s[%d]@%d", record.Topic, record.Partition, record.Offset)
	id, value, err := read(record)
	if errors.Is(err, errUndecodable) {
		fmt.Fprintf(os.Stderr, "set aside: %s %v\n", place, err)
		return nil
	} else if err != nil {
		return err
	}
	if _, isRepeat := seen.values[record.Topic+" "+id]; isRepeat {
		return nil
	}
	if revision, isThere := revisionOf(value); isThere {
		name := record.Topic + " " + string(record.Key)
		if revision < revisions.values[name] {
			return nil // older than what we have
		}
		revisions.put(name, revision)
	}
	if err := workWith(record.Topic, id, string(record.Key), value); err != nil {
		return err
	}
	seen.put(record.Topic+" "+id, true)
	return nil
}

// workWith is your work. A higher revision of a key replaces what you had of it; words may be new.
func workWith(topic, id, key string, value map[string]any) error {
	line := map[string]any{"topic": topic, "ce_id": id, "key": key, "revision": value["revision"]}
	for _, name := range shown {
		if field, isThere := value[name]; isThere {
			line[name] = field
		}
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

// read gives a record's id and its value.
func read(record *kgo.Record) (string, map[string]any, error) {
	value, err := decode(record.Value)
	if err != nil {
		return "", nil, err
	}
	id, isNamed := header(record, "ce_id")
	if !isNamed || record.Key == nil {
		return "", nil, fmt.Errorf("%w: no ce_id or no key", errUndecodable)
	}
	return id, value, nil
}

// decode reads the Confluent wire format: a zero byte, 4 bytes of schema id, Avro.
func decode(value []byte) (map[string]any, error) {
	if len(value) < 5 || value[0] != 0 {
		return nil, fmt.Errorf("%w: no Confluent wire format", errUndecodable)
	}
	schema, err := schemaOf(binary.BigEndian.Uint32(value[1:5]))
	if err != nil {
		return nil, err
	}
	record := map[string]any{}
	rest, err := schema.Decode(value[5:], &record)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUndecodable, err)
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: bytes after the record", errUndecodable)
	}
	return record, nil
}

// schemaOf gives the schema of an id. Ids differ between installations: look each up, once.
func schemaOf(id uint32) (*avro.Schema, error) {
	if schema, known := schemas[id]; known {
		return schema, nil
	}
	answer, err := registry.Get(fmt.Sprintf("%s/schemas/ids/%d", registryURL, id))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%w: the registry does not know schema %d", errUndecodable, id)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the registry answered %s", answer.Status)
	}
	var body struct{ Schema string }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, err
	}
	schema, err := avro.Parse(body.Schema) // instants become time.Time
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errUndecodable, err)
	}
	schemas[id] = schema
	return schema, nil
}

func header(record *kgo.Record, name string) (string, bool) {
	for _, header := range record.Headers {
		if header.Key == name {
			return string(header.Value), true
		}
	}
	return "", false
}

// revisionOf gives the revision of a value that has one.
func revisionOf(value map[string]any) (int64, bool) {
	switch revision := value["revision"].(type) {
	case int32:
		return int64(revision), true
	case int64:
		return revision, true
	}
	return 0, false
}

// memory is a map that forgets its oldest entry beyond `remembered`.
type memory[V any] struct {
	values map[string]V
	order  []string // a ring: the oldest is at next once it is full
	next   int
}

func newMemory[V any]() *memory[V] {
	return &memory[V]{values: map[string]V{}}
}

func (m *memory[V]) put(key string, value V) {
	if _, known := m.values[key]; !known {
		if len(m.order) < remembered {
			m.order = append(m.order, key)
		} else {
			delete(m.values, m.order[m.next])
			m.order[m.next] = key
			m.next = (m.next + 1) % remembered
		}
	}
	m.values[key] = value
}

func env(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
