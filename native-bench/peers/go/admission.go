package main

import (
	"hash/maphash"
	"log"
	"sync"
	"sync/atomic"
)

type code uint8

const (
	accepted code = iota
	alreadyInvested
	insufficientBalance
	roundFull
	// Not verdicts: they stick to no key.
	keyReused
	refused
)

// verdict is what stuck to a key.
type verdict struct {
	key      string
	sequence uint64
	amount   int64
	at       int64 // milliseconds since the epoch
	extra    int64 // the live investment's sequence, or the room at that moment
	code     code
	durable  chan struct{} // closed when it is on disk; nil when it was read from there
}

type investor struct {
	balance int64
	live    uint64 // sequence of the live investment, 0 for none
	first   verdict
	more    []verdict
}

func (i *investor) find(key []byte) *verdict {
	if i.first.key == string(key) {
		return &i.first
	}
	for at := range i.more {
		if i.more[at].key == string(key) {
			return &i.more[at]
		}
	}
	return nil
}

func (i *investor) remember(v verdict) {
	if v.code == accepted {
		i.live = v.sequence
	}
	if i.first.key == "" {
		i.first = v
	} else {
		i.more = append(i.more, v)
	}
}

const shardCount = 256

type shard struct {
	mu        sync.Mutex
	investors map[string]*investor
	_         [48]byte // each on a cache line of its own
}

// admission decides. An investor is locked by shard; the cap is a counter that is changed only where there is room.
type admission struct {
	set      *settings
	wal      *journal
	seed     maphash.Seed
	admitted atomic.Int64
	shards   [shardCount]shard
}

func newAdmission(set *settings) *admission {
	a := &admission{set: set, seed: maphash.MakeSeed()}
	for at := range a.shards {
		a.shards[at].investors = map[string]*investor{}
	}
	err := set.eachInvestor(func(name string, balance int64) {
		a.shardOf([]byte(name)).investors[name] = &investor{balance: balance}
	})
	if err != nil {
		log.Fatal(err)
	}
	return a
}

func (a *admission) shardOf(name []byte) *shard {
	return &a.shards[maphash.Bytes(a.seed, name)%shardCount]
}

func (s *shard) get(name []byte) *investor {
	known := s.investors[string(name)]
	if known == nil {
		known = &investor{}
		s.investors[string(name)] = known
	}
	return known
}

// recover takes a verdict that was found in the log.
func (a *admission) recover(name []byte, v verdict) {
	a.shardOf(name).get(name).remember(v)
	if v.code == accepted {
		a.admitted.Add(v.amount)
	}
}

// decide answers the verdict of a request, and whether it was known before. A verdict is on disk when this returns.
// isRefused: its terms refuse it, if its key is new. sameCurrency: as the round has it.
func (a *admission) decide(name, key []byte, amount int64, isRefused, sameCurrency bool, nowMs int64) (verdict, bool) {
	s := a.shardOf(name)
	s.mu.Lock()
	who := s.get(name)
	if known := who.find(key); known != nil {
		v := *known
		s.mu.Unlock()
		if v.amount != amount || !sameCurrency {
			return verdict{code: keyReused}, false
		}
		if v.durable != nil {
			<-v.durable
		}
		return v, true
	}
	if isRefused {
		s.mu.Unlock()
		return verdict{code: refused}, false
	}
	v := verdict{amount: amount, at: nowMs}
	if who.live != 0 {
		v.code, v.extra = alreadyInvested, int64(who.live)
	} else if who.balance < amount {
		v.code = insufficientBalance
	} else if room := a.reserve(amount); room >= 0 {
		v.code, v.extra = roundFull, room
	}
	v.key = string(key)
	v.sequence, v.durable = a.wal.append(name, &v)
	who.remember(v)
	s.mu.Unlock()
	<-v.durable
	return v, false
}

// reserve takes room under the cap; -1, or the room that there is when it is too little.
func (a *admission) reserve(amount int64) int64 {
	for {
		now := a.admitted.Load()
		if room := a.set.capMinor - now; room < amount {
			return room
		}
		if a.admitted.CompareAndSwap(now, now+amount) {
			return -1
		}
	}
}
