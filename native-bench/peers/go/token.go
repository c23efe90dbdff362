package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"hash"
	"sync/atomic"

	"github.com/valyala/fastjson"
)

const (
	tokenBytesMax   = 4096
	investorMax     = 128
	signatureLength = 43
)

// verifier checks HS256 tokens; one of them serves one request at a time, and allocates nothing.
type verifier struct {
	mac       hash.Hash
	parser    fastjson.Parser
	sum       [sha256.Size]byte
	signature [signatureLength]byte
	payload   [tokenBytesMax]byte
}

// goodHeader is the header that was last found to be HS256: an issuer has one.
var goodHeader atomic.Pointer[[]byte]

func newVerifier(secret string) *verifier {
	return &verifier{mac: hmac.New(sha256.New, []byte(secret))}
}

// bearer cuts the scheme off an Authorization header; nil when it is another one.
func bearer(header []byte) []byte {
	if len(header) < 7 || !bytes.EqualFold(header[:6], []byte("bearer")) || header[6] != ' ' {
		return nil
	}
	return bytes.TrimLeft(header[7:], " ")
}

// investor answers the subject of a valid token, or nil. It is overwritten by the next call.
func (v *verifier) investor(token []byte, nowMs int64) []byte {
	if len(token) > tokenBytesMax {
		return nil
	}
	first := bytes.IndexByte(token, '.')
	if first <= 0 {
		return nil
	}
	length := bytes.IndexByte(token[first+1:], '.')
	if length < 0 {
		return nil
	}
	second := first + 1 + length
	if len(token)-second-1 != signatureLength || !isHS256(token[:first]) {
		return nil
	}
	v.mac.Reset()
	v.mac.Write(token[:second])
	base64.RawURLEncoding.Encode(v.signature[:], v.mac.Sum(v.sum[:0]))
	if subtle.ConstantTimeCompare(v.signature[:], token[second+1:]) != 1 {
		return nil
	}
	size, err := base64.RawURLEncoding.Decode(v.payload[:], token[first+1:second])
	if err != nil {
		return nil
	}
	claims, err := v.parser.ParseBytes(v.payload[:size])
	if err != nil || claims.Type() != fastjson.TypeObject {
		return nil
	}
	exp, isThere := seconds(claims.Get("exp"))
	if !isThere || exp*1000 <= float64(nowMs) {
		return nil
	}
	if notBefore := claims.Get("nbf"); notBefore != nil {
		from, isThere := seconds(notBefore)
		if !isThere || from*1000 > float64(nowMs) {
			return nil
		}
	}
	subject := claims.GetStringBytes("sub")
	if len(subject) == 0 || len(subject) > investorMax {
		return nil
	}
	for _, char := range subject {
		if char < 0x21 || char > 0x7e {
			return nil
		}
	}
	return subject
}

// seconds reads a NumericDate; false when it is absent or something else.
func seconds(value *fastjson.Value) (float64, bool) {
	if value == nil {
		return 0, false
	}
	number, err := value.Float64()
	return number, err == nil
}

func isHS256(encoded []byte) bool {
	if good := goodHeader.Load(); good != nil && bytes.Equal(*good, encoded) {
		return true
	}
	text, err := base64.RawURLEncoding.DecodeString(string(encoded))
	if err != nil {
		return false
	}
	var header map[string]any
	if json.Unmarshal(text, &header) != nil || header["alg"] != "HS256" || header["crit"] != nil {
		return false
	}
	good := bytes.Clone(encoded)
	goodHeader.Store(&good)
	return true
}
