package main

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

const (
	bodyBytesMax = 4096
	amountMax    = 1<<53 - 1
	keyMax       = 64
)

// body reads the JSON of an investment strictly: each member once, none unknown, the amount an integer.
type body struct {
	parser   fastjson.Parser
	amount   int64
	currency []byte
	// After a failure: a JSON Pointer to the member that is wrong.
	pointer string
	failed  bool
	number  []byte
	visit   func(name []byte, value *fastjson.Value)
}

func newBody() *body {
	b := &body{}
	b.visit = b.member // made once: a method value would be allocated for every request
	return b
}

func (b *body) read(text []byte) bool {
	b.amount, b.currency, b.failed = 0, nil, false
	value, err := b.parser.ParseBytes(text)
	if err != nil {
		return b.fail("")
	}
	object, err := value.Object()
	if err != nil {
		return b.fail("")
	}
	object.Visit(b.visit)
	if b.failed {
		return false
	}
	if b.amount == 0 {
		return b.fail("/amount")
	}
	if b.currency == nil {
		return b.fail("/currency")
	}
	return true
}

func (b *body) fail(pointer string) bool {
	if !b.failed {
		b.pointer = pointer
	}
	b.failed = true
	return false
}

func (b *body) member(name []byte, value *fastjson.Value) {
	switch string(name) {
	case "amount":
		amount, err := value.Int64()
		b.number = value.MarshalTo(b.number[:0])
		var plain [20]byte
		exact := err == nil && bytes.Equal(b.number, strconv.AppendInt(plain[:0], amount, 10))
		if b.amount != 0 || !exact || amount <= 0 || amount > amountMax {
			b.fail("/amount")
			return
		}
		b.amount = amount
	case "currency":
		text, err := value.StringBytes()
		if b.currency != nil || err != nil || len(text) != 3 || !isUpper(text) {
			b.fail("/currency")
			return
		}
		b.currency = text
	default:
		b.fail("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(string(name)))
	}
}

func isUpper(text []byte) bool {
	for _, char := range text {
		if char < 'A' || char > 'Z' {
			return false
		}
	}
	return true
}

// readKey answers the key of an Idempotency-Key header, bare or quoted, or nil.
func readKey(header []byte) []byte {
	if len(header) >= 2 && header[0] == '"' && header[len(header)-1] == '"' {
		header = header[1 : len(header)-1]
	}
	if len(header) == 0 || len(header) > keyMax {
		return nil
	}
	for _, char := range header {
		isLetter := char >= 'a' && char <= 'z' || char >= 'A' && char <= 'Z'
		if !isLetter && (char < '0' || char > '9') && char != '_' && char != '-' {
			return nil
		}
	}
	return header
}
