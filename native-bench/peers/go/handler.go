package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	pathHead = "/v1/rounds/"
	pathTail = "/investments"
)

// worker is what one request needs besides its own memory; it is used again.
type worker struct {
	verifier *verifier
	body     *body
	scratch  scratch
}

type handler struct {
	set       *settings
	answers   *answers
	admission *admission
	workers   sync.Pool
}

func newHandler(set *settings, answers *answers, admission *admission) *handler {
	h := &handler{set: set, answers: answers, admission: admission}
	h.workers.New = func() any { return &worker{verifier: newVerifier(set.secret), body: newBody()} }
	return h
}

// refuse answers what fasthttp itself does not take.
func (h *handler) refuse(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		h.answers.problem(ctx, "body-too-large", nil)
	case errors.As(err, &small):
		h.answers.problem(ctx, "headers-too-large", nil)
	default:
		h.malformed(ctx, "")
	}
	ctx.SetConnectionClose()
}

func (h *handler) malformed(ctx *fasthttp.RequestCtx, pointer string) {
	text, _ := json.Marshal(pointer) // a string always can be
	h.answers.problem(ctx, "malformed-request", append([]byte(`,"pointer":`), text...))
}

func (h *handler) serve(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	if !bytes.HasPrefix(path, []byte(pathHead)) || !bytes.HasSuffix(path, []byte(pathTail)) {
		h.answers.problem(ctx, "not-found", nil)
		return
	}
	if !ctx.IsPost() {
		ctx.Response.Header.Set("Allow", "POST")
		h.answers.problem(ctx, "method-not-allowed", nil)
		return
	}
	if !isJSON(ctx.Request.Header.ContentType()) {
		h.answers.problem(ctx, "unsupported-media-type", nil)
		return
	}
	w := h.workers.Get().(*worker)
	h.invest(ctx, w, path[len(pathHead):len(path)-len(pathTail)])
	h.workers.Put(w)
}

func isJSON(contentType []byte) bool {
	if string(contentType) == jsonType {
		return true
	}
	kind, _, _ := bytes.Cut(contentType, []byte(";"))
	return bytes.EqualFold(bytes.TrimSpace(kind), []byte(jsonType))
}

func (h *handler) invest(ctx *fasthttp.RequestCtx, w *worker, round []byte) {
	nowMs := time.Now().UnixMilli()
	name := w.verifier.investor(bearer(ctx.Request.Header.Peek("Authorization")), nowMs)
	if name == nil {
		ctx.Response.Header.Set("WWW-Authenticate", "Bearer")
		h.answers.problem(ctx, "unauthenticated", nil)
		return
	}
	key := readKey(ctx.Request.Header.Peek("Idempotency-Key"))
	if key == nil {
		h.malformed(ctx, "")
		return
	}
	b := w.body
	if !b.read(ctx.PostBody()) {
		h.malformed(ctx, b.pointer)
		return
	}
	if string(round) != h.set.round {
		h.answers.problem(ctx, "round-not-found", nil)
		return
	}
	sameCurrency := string(b.currency) == h.set.currency
	isRefused := !sameCurrency || b.amount < h.set.minimum || b.amount > h.set.maximum
	v, replayed := h.admission.decide(name, key, b.amount, isRefused, sameCurrency, nowMs)
	if replayed {
		ctx.Response.Header.Set("Idempotency-Replayed", "true")
	}
	id := h.admission.wal.id
	var members []byte
	switch v.code {
	case accepted:
		h.answers.accepted(ctx, &w.scratch, id, name, &v)
	case alreadyInvested:
		members = append(appendID([]byte(`,"investment":"`), id, uint64(v.extra)), '"')
		h.answers.problem(ctx, "already-invested", members)
	case insufficientBalance:
		h.answers.problem(ctx, "insufficient-balance", nil)
	case roundFull:
		h.answers.problem(ctx, "round-full", strconv.AppendInt([]byte(`,"remaining":`), v.extra, 10))
	case keyReused:
		h.answers.problem(ctx, "idempotency-key-reused", nil)
	case refused:
		h.refuseTerms(ctx, b.amount, sameCurrency)
	}
}

func (h *handler) refuseTerms(ctx *fasthttp.RequestCtx, amount int64, sameCurrency bool) {
	switch {
	case !sameCurrency:
		h.answers.problem(ctx, "currency-mismatch", nil)
	case amount < h.set.minimum:
		h.answers.problem(ctx, "amount-below-minimum", strconv.AppendInt([]byte(`,"minimum":`), h.set.minimum, 10))
	default:
		h.answers.problem(ctx, "amount-above-maximum", strconv.AppendInt([]byte(`,"maximum":`), h.set.maximum, 10))
	}
}
