package main

import (
	"encoding/json"
	"log"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	jsonType    = "application/json"
	problemType = "application/problem+json"
	timeFormat  = "2006-01-02T15:04:05.000Z"
)

type problem struct {
	status int
	head   []byte // the body up to its extension members
}

// answers are the bytes of a 201 and of the problems, as openbell writes them.
type answers struct {
	set      *settings
	problems map[string]problem
}

func newAnswers(set *settings) *answers {
	a := &answers{set: set, problems: map[string]problem{}}
	for code, text := range set.problems {
		bytes, err := json.Marshal(struct {
			Type   string `json:"type"`
			Title  string `json:"title"`
			Status int    `json:"status"`
			Detail string `json:"detail"`
			Code   string `json:"code"`
		}{"/problems/" + code, text.Title, text.Status, text.Detail, code})
		if err != nil {
			log.Fatal(err)
		}
		a.problems[code] = problem{text.Status, bytes[:len(bytes)-1]}
	}
	return a
}

// problem answers with members, JSON text with a comma before each.
func (a *answers) problem(ctx *fasthttp.RequestCtx, code string, members []byte) {
	kind := a.problems[code]
	ctx.Response.SetStatusCode(kind.status)
	ctx.Response.Header.SetContentType(problemType)
	ctx.Response.AppendBody(kind.head)
	ctx.Response.AppendBody(members)
	ctx.Response.AppendBodyString("}")
}

// scratch is what the answers of one worker are put together in.
type scratch struct {
	location []byte
	text     []byte
	lastMs   int64
	lastTime []byte
}

func (a *answers) accepted(ctx *fasthttp.RequestCtx, s *scratch, id string, name []byte, v *verdict) {
	if v.at != s.lastMs {
		s.lastMs = v.at
		s.lastTime = time.UnixMilli(v.at).UTC().AppendFormat(s.lastTime[:0], timeFormat)
	}
	s.location = append(append(append(s.location[:0], "/v1/rounds/"...), a.set.round...), "/investments/"...)
	start := len(s.location)
	s.location = appendID(s.location, id, v.sequence)

	t := append(append(s.text[:0], `{"id":"`...), s.location[start:]...)
	t = append(append(t, `","round":"`...), a.set.round...)
	t = appendQuoted(append(t, `","investor":`...), name)
	t = strconv.AppendInt(append(t, `,"amount":`...), v.amount, 10)
	t = append(append(t, `,"currency":"`...), a.set.currency...)
	t = strconv.AppendUint(append(t, `","state":"accepted","sequence":`...), v.sequence, 10)
	t = append(append(append(t, `,"acceptedAt":"`...), s.lastTime...), `"}`...)
	s.text = t

	ctx.Response.SetStatusCode(fasthttp.StatusCreated)
	ctx.Response.Header.SetContentType(jsonType)
	ctx.Response.Header.SetBytesV("Location", s.location)
	ctx.Response.SetBody(t)
}

func appendID(to []byte, id string, sequence uint64) []byte {
	return strconv.AppendUint(append(append(to, id...), '-'), sequence, 36)
}

// appendQuoted adds visible ASCII as JSON, which escapes two characters of it.
func appendQuoted(to, text []byte) []byte {
	to = append(to, '"')
	for _, char := range text {
		if char == '"' || char == '\\' {
			to = append(to, '\\')
		}
		to = append(to, char)
	}
	return append(to, '"')
}
