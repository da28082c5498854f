package spooldir

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hamba/avro/v2/ocf"

	"collect/providers/providertest"
	"collect/runtime/flow"
)

const carSchema = `{"type":"record","name":"Car","fields":[
	{"name":"num","type":"string"},
	{"name":"speed","type":["null","int"]},
	{"name":"tires","type":{"type":"array","items":"long"}},
	{"name":"tags","type":{"type":"map","values":"double"}},
	{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
	{"name":"raw","type":"bytes"},
	{"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
	{"name":"grade","type":{"type":"enum","name":"Grade","symbols":["A","B"]}}
]}`

// cars writes a container file of n records, with the library that others use.
func cars(t testing.TB, n int, codec ocf.CodecName) []byte {
	t.Helper()
	var buf bytes.Buffer
	enc, err := ocf.NewEncoder(carSchema, &buf, ocf.WithCodec(codec), ocf.WithBlockLength(7))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		var speed any
		if i%2 == 1 {
			speed = i
		}
		err := enc.Encode(map[string]any{
			"num": fmt.Sprintf("B%04d \"차\"", i), "speed": speed, "tires": []int64{90, -1}, "tags": map[string]any{"x": 0.5},
			"at": time.UnixMilli(1_800_000_000_000 + int64(i)).UTC(), "raw": []byte{0, 255}, "price": big.NewRat(-123, 100), "grade": "B",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := enc.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func carJSON(i int) string {
	speed := "null"
	if i%2 == 1 {
		speed = fmt.Sprint(i)
	}
	at := time.UnixMilli(1_800_000_000_000 + int64(i)).UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`{"num":"B%04d \"차\"","speed":%s,"tires":[90,-1],"tags":{"x":0.5},"at":%q,"raw":"AP8=","price":-1.23,"grade":"B"}`, i, speed, at)
}

func TestAvroRecordsBecomeJSON(t *testing.T) {
	t.Parallel()
	for _, codec := range []ocf.CodecName{ocf.Null, ocf.Deflate, ocf.Snappy, ocf.ZStandard} {
		t.Run(string(codec), func(t *testing.T) {
			dir := t.TempDir()
			cfg := config(dir)
			cfg.Format = "avro"
			put(t, dir, "cars.avro", string(cars(t, 40, codec)))
			out, r := follow(t, cfg, providertest.Env(t))
			out.Wait(40)
			untilNames(t, dir, "cars.avro.COMPLETED")
			r.Stop()
			for i, e := range out.Events() {
				if e.Body != carJSON(i) || e.From != uint64(i) {
					t.Fatalf("record %d at %d is %s\nwant %s", i, e.From, e.Body, carJSON(i))
				}
			}
		})
	}
}

func TestAvroConformance(t *testing.T) {
	t.Parallel()
	providertest.Test(t, func(t *testing.T) providertest.Source {
		dir, files := t.TempDir(), 0
		cfg := config(dir)
		cfg.Format, cfg.Order = "avro", "name"
		return providertest.Source{
			New: func(t *testing.T, env flow.Env) flow.Source { return providertest.Make(t, New, cfg, env) },
			Feed: func(t *testing.T, n int) (all []string) {
				files++
				put(t, dir, fmt.Sprintf("%03d.avro", files), string(cars(t, n, ocf.Deflate)))
				for i := range n {
					all = append(all, carJSON(i))
				}
				return all
			},
		}
	})
}

// head makes the head of a container file.
func head(schema, codec string) []byte {
	b := []byte("Obj\x01")
	b = binary.AppendVarint(b, 2)
	for _, kv := range [][2]string{{"avro.schema", schema}, {"avro.codec", codec}} {
		for _, s := range kv {
			b = binary.AppendVarint(b, int64(len(s)))
			b = append(b, s...)
		}
	}
	b = append(b, 0)
	return append(b, make([]byte, syncLen)...)
}

func block(count int64, data []byte) []byte {
	b := binary.AppendVarint(nil, count)
	b = binary.AppendVarint(b, int64(len(data)))
	b = append(b, data...)
	return append(b, make([]byte, syncLen)...)
}

// hostile are files that must be refused quickly and in little memory.
func hostile() map[string][]byte {
	nested := strings.Repeat(`{"type":"array","items":`, 1000) + `"int"` + strings.Repeat("}", 1000)
	return map[string][]byte{
		"no container":           []byte("hello"),
		"cut off":                head(`"int"`, "null")[:20],
		"16 MiB of brackets":     head(strings.Repeat("[", 1<<20), "null"),
		"deep schema":            head(nested, "null"),
		"a schema in itself":     head(`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]}]}`, "null"),
		"an unknown codec":       head(`"int"`, "lzma"),
		"a block too large":      append(head(`"int"`, "null"), binary.AppendVarint(binary.AppendVarint(nil, 1), 1<<40)...),
		"records without bytes":  append(head(`"null"`, "null"), block(1<<40, nil)...),
		"a list of nothing":      append(head(`{"type":"array","items":"null"}`, "null"), block(1, binary.AppendVarint(nil, 1<<50))...),
		"an index out of range":  append(head(`["null","int"]`, "null"), block(1, []byte{8})...),
		"a text beyond its data": append(head(`"string"`, "null"), block(1, binary.AppendVarint(nil, 1<<30))...),
		"a wrong end mark":       append(head(`"int"`, "null"), append(binary.AppendVarint(binary.AppendVarint(nil, 1), 1), bytes.Repeat([]byte{7}, 17)...)...),
	}
}

// readContainer reads all records of a file.
func readContainer(raw []byte) (n int, err error) {
	c, err := openContainer(bytes.NewReader(raw))
	if err != nil {
		return 0, err
	}
	defer c.close()
	for {
		count, data, err := c.next()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if data, err = c.unpack(data); err != nil {
			return n, err
		}
		if count > int64(len(data)) {
			return n, wrong("too many records")
		}
		r := newRecords(c.schema, data)
		for range count {
			if _, err := r.next(); err != nil {
				return n, err
			}
			n++
		}
	}
}

func TestHostileAvroFilesAreRefused(t *testing.T) {
	t.Parallel()
	for name, raw := range hostile() {
		t.Run(name, func(t *testing.T) {
			_, err := readContainer(raw)
			if !errors.Is(err, errContent) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestAHostileFileDoesNotStopOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	env := providertest.Env(t)
	cfg := config(dir)
	cfg.Format, cfg.Order = "avro", "name"
	put(t, dir, "a", "no avro at all")
	put(t, dir, "b", string(cars(t, 3, ocf.Null)))
	out, r := follow(t, cfg, env)
	out.Wait(3)
	untilNames(t, dir, "a", "b.COMPLETED")
	r.Stop()
	if s := env.Stats.Snapshot(); !strings.Contains(s.LastError, filepath.Join(dir, "a")) {
		t.Errorf("the last error is %q", s.LastError)
	}
}

// What stands before a damaged block is delivered once, the file is set aside, and others go on.
func TestADamagedBlockSetsTheRestOfItsFileAside(t *testing.T) {
	t.Parallel()
	for _, codec := range []ocf.CodecName{ocf.Null, ocf.Deflate, ocf.Snappy, ocf.ZStandard} {
		t.Run(string(codec), func(t *testing.T) {
			dir := t.TempDir()
			env := providertest.Env(t)
			cfg := config(dir)
			cfg.Format, cfg.Order = "avro", "name"
			raw := cars(t, 35, codec) // blocks of 7
			mark := raw[len(raw)-syncLen:]
			at := 0 // behind the end mark of the second block; the head has one, too
			for range 3 {
				at += bytes.Index(raw[at:], mark) + syncLen
			}
			for i := at + 4; i < at+24; i++ {
				raw[i] ^= 0xff
			}
			put(t, dir, "a", string(raw))
			put(t, dir, "b", string(cars(t, 3, codec)))
			out, r := follow(t, cfg, env)
			untilNames(t, dir, "a", "b.COMPLETED")
			r.Stop()
			env = again(env)
			put(t, dir, "c", string(cars(t, 3, codec)))
			next, r := follow(t, cfg, env)
			untilNames(t, dir, "a", "b.COMPLETED", "c.COMPLETED")
			r.Stop()
			var want, got []string
			for _, n := range []int{14, 3, 3} {
				for i := range n {
					want = append(want, carJSON(i))
				}
			}
			for _, e := range append(out.Events(), next.Events()...) {
				if e.File == filepath.Join(dir, "a") && e.From >= 14 {
					t.Logf("record %d of the damaged block was read: %.80s", e.From, e.Body)
					continue
				}
				got = append(got, e.Body)
			}
			equal(t, want, got)
		})
	}
}

func FuzzContainer(f *testing.F) {
	f.Add(cars(f, 3, ocf.Null))
	f.Add(cars(f, 20, ocf.Deflate))
	for _, raw := range hostile() {
		if len(raw) < 10000 {
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if n, err := readContainer(raw); err != nil && !errors.Is(err, errContent) {
			t.Errorf("after %d records: %v", n, err)
		}
	})
}

func BenchmarkLines(b *testing.B) {
	dir := b.TempDir()
	line := strings.Repeat("x", 174) + "\n"
	const count = 200_000
	text := strings.Repeat(line, count)
	full := filepath.Join(dir, "a")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		env := providertest.Env(b)
		env.Pool = flow.NewPool(16 << 20)
		cfg := config(dir)
		cfg.Done, cfg.Settle = "delete", 0
		out := &counter{want: count, done: make(chan struct{})}
		r := providertest.Start(b, providertest.Make(b, New, cfg, env), out)
		<-out.done
		r.Stop()
	}
	b.ReportMetric(float64(b.N)*count/b.Elapsed().Seconds(), "events/s")
}

// counter takes events and forgets them.
type counter struct {
	n, want int
	done    chan struct{}
}

func (c *counter) Emit(_ context.Context, b *flow.Batch) error {
	c.n += b.Len()
	b.Ack(flow.Delivered)
	b.Release()
	if c.n == c.want {
		close(c.done)
	}
	return nil
}
