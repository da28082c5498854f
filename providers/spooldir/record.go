package spooldir

import (
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"math"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"collect/runtime/flow"
)

// maxDepthAvro is how deep a schema may be nested. One that contains itself has no depth and is refused.
const maxDepthAvro = 32

// parseSchema reads the schema of a file, which is hostile: it is measured before the parser, which calls itself, sees it.
func parseSchema(text []byte) (avro.Schema, error) {
	if len(text) == 0 {
		return nil, wrong("no schema")
	}
	level, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if level++; level > 4*maxDepthAvro {
				return nil, wrong("the schema is nested too deep")
			}
		case c == '}' || c == ']':
			level--
		}
	}
	// A cache of its own: schemas of other files must not be seen.
	schema, err := avro.ParseBytesWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		return nil, wrong("schema: %w", err)
	}
	return schema, checkDepth(schema, 0, map[string]bool{})
}

func checkDepth(s avro.Schema, depth int, open map[string]bool) error {
	if depth > maxDepthAvro {
		return wrong("the schema is nested more than %d levels deep", maxDepthAvro)
	}
	switch t := s.(type) {
	case *avro.RefSchema:
		return checkDepth(t.Schema(), depth, open)
	case *avro.RecordSchema:
		if open[t.FullName()] {
			return wrong("the schema contains itself: %.60s", t.FullName())
		}
		open[t.FullName()] = true
		defer delete(open, t.FullName())
		for _, f := range t.Fields() {
			if err := checkDepth(f.Type(), depth+1, open); err != nil {
				return err
			}
		}
	case *avro.ArraySchema:
		return checkDepth(t.Items(), depth+1, open)
	case *avro.MapSchema:
		return checkDepth(t.Values(), depth+1, open)
	case *avro.UnionSchema:
		for _, u := range t.Types() {
			if err := checkDepth(u, depth+1, open); err != nil {
				return err
			}
		}
	}
	return nil
}

// records turns the records of a block into JSON: fields in the order of the schema, unions as the value alone, bytes in base64,
// logical times as text.
type records struct {
	schema avro.Schema
	r      *avro.Reader
	size   int // of the block
	out    []byte
}

func newRecords(schema avro.Schema, data []byte) *records {
	api := avro.Config{MaxByteSliceSize: maxBlock}.Freeze()
	return &records{schema: schema, size: len(data), r: avro.NewReader(nil, 0, avro.WithReaderConfig(api)).Reset(data)}
}

// next gives the next record, in memory that the next call uses again.
func (d *records) next() ([]byte, error) {
	d.out = d.out[:0]
	d.value(d.schema)
	if d.r.Error != nil {
		return nil, wrong("%w", d.r.Error)
	}
	if d.full() {
		return nil, wrong("a record of more than 16 MiB")
	}
	return d.out, nil
}

// full says that nothing more fits into an event: this also ends lists of values that take no bytes.
func (d *records) full() bool { return len(d.out) > flow.MaxBody || d.r.Error != nil }

func (d *records) value(s avro.Schema) {
	if d.full() {
		return
	}
	switch t := s.(type) {
	case *avro.RefSchema:
		d.value(t.Schema())
	case *avro.RecordSchema:
		d.out = append(d.out, '{')
		for i, f := range t.Fields() {
			d.comma(i)
			d.text(f.Name())
			d.out = append(d.out, ':')
			d.value(f.Type())
		}
		d.out = append(d.out, '}')
	case *avro.ArraySchema:
		d.out = append(d.out, '[')
		d.blocks(func(int) { d.value(t.Items()) })
		d.out = append(d.out, ']')
	case *avro.MapSchema:
		d.out = append(d.out, '{')
		d.blocks(func(int) {
			d.text(d.r.ReadString())
			d.out = append(d.out, ':')
			d.value(t.Values())
		})
		d.out = append(d.out, '}')
	case *avro.UnionSchema:
		if i := d.r.ReadLong(); i >= 0 && i < int64(len(t.Types())) {
			d.value(t.Types()[i])
		} else {
			d.r.ReportError("union", "index out of range")
		}
	case *avro.EnumSchema:
		symbol, ok := t.Symbol(int(d.r.ReadInt()))
		if !ok {
			d.r.ReportError("enum", "index out of range")
		}
		d.text(symbol)
	case *avro.FixedSchema:
		p := make([]byte, min(t.Size(), flow.MaxBody))
		d.r.Read(p)
		d.bytes(p, t.Logical())
	default:
		d.primitive(s)
	}
}

func (d *records) comma(i int) {
	if i > 0 {
		d.out = append(d.out, ',')
	}
}

// blocks calls f for each item of a list or map.
func (d *records) blocks(f func(i int)) {
	for i := 0; ; {
		n, _ := d.r.ReadBlockHeader()
		if n > int64(d.size) { // items that take no bytes would cost much and say nothing
			d.r.ReportError("list", "more items than bytes")
		}
		if n <= 0 || d.full() {
			return
		}
		for ; n > 0 && !d.full(); n-- {
			d.comma(i)
			f(i)
			i++
		}
	}
}

func (d *records) primitive(s avro.Schema) {
	var logical avro.LogicalSchema
	if p, ok := s.(*avro.PrimitiveSchema); ok {
		logical = p.Logical()
	}
	switch s.Type() {
	case avro.Null:
		d.out = append(d.out, "null"...)
	case avro.Boolean:
		d.out = strconv.AppendBool(d.out, d.r.ReadBool())
	case avro.Int:
		d.integer(int64(d.r.ReadInt()), logical)
	case avro.Long:
		d.integer(d.r.ReadLong(), logical)
	case avro.Float:
		d.float(float64(d.r.ReadFloat()), 32)
	case avro.Double:
		d.float(d.r.ReadDouble(), 64)
	case avro.String:
		d.text(d.r.ReadString())
	case avro.Bytes:
		d.bytes(d.r.ReadBytes(), logical)
	default:
		d.r.ReportError("value", "unknown type "+string(s.Type()))
	}
}

func (d *records) integer(n int64, logical avro.LogicalSchema) {
	if logical == nil {
		d.out = strconv.AppendInt(d.out, n, 10)
		return
	}
	const clock = "15:04:05.999999"
	var t time.Time
	layout := time.RFC3339Nano
	switch logical.Type() {
	case avro.Date:
		t, layout = time.Unix(n*86400, 0), time.DateOnly
	case avro.TimeMillis:
		t, layout = time.UnixMilli(n), clock
	case avro.TimeMicros:
		t, layout = time.UnixMicro(n), clock
	case avro.TimestampMillis, avro.LocalTimestampMillis:
		t = time.UnixMilli(n)
	case avro.TimestampMicros, avro.LocalTimestampMicros:
		t = time.UnixMicro(n)
	default:
		d.out = strconv.AppendInt(d.out, n, 10)
		return
	}
	d.out = append(d.out, '"')
	d.out = t.UTC().AppendFormat(d.out, layout)
	d.out = append(d.out, '"')
}

// float writes a number; JSON has none for those that are not finite.
func (d *records) float(f float64, bits int) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		d.out = append(d.out, "null"...)
		return
	}
	d.out = strconv.AppendFloat(d.out, f, 'g', -1, bits)
}

func (d *records) bytes(p []byte, logical avro.LogicalSchema) {
	if dec, ok := logical.(*avro.DecimalLogicalSchema); ok && len(p) <= 64 && dec.Scale() >= 0 && dec.Scale() <= 100 {
		n := new(big.Int).SetBytes(p)
		if len(p) > 0 && p[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(p))))
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(dec.Scale())), nil)
		d.out = append(d.out, new(big.Rat).SetFrac(n, scale).FloatString(dec.Scale())...)
		return
	}
	d.out = append(d.out, '"')
	d.out = base64.StdEncoding.AppendEncode(d.out, p)
	d.out = append(d.out, '"')
}

// text writes a string; bytes that are not UTF-8 become U+FFFD, since JSON cannot hold them.
func (d *records) text(s string) {
	plain := true
	for i := 0; i < len(s); i++ {
		plain = plain && s[i] >= 0x20 && s[i] < utf8.RuneSelf && s[i] != '"' && s[i] != '\\'
	}
	if plain {
		d.out = append(d.out, '"')
		d.out = append(d.out, s...)
		d.out = append(d.out, '"')
		return
	}
	raw, err := json.Marshal(s)
	if err != nil {
		d.r.ReportError("string", err.Error())
		return
	}
	d.out = append(d.out, raw...)
}

func checksum(p []byte) uint32 { return crc32.ChecksumIEEE(p) }
