package main

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// The log is a chain of segment files that are filled with zeros before they are used, so that a sync writes data and no
// metadata. A segment starts with 8 characters that name the log. A frame is what one sync covers:
//
//	u32 bytes of rows | u32 CRC-32C of the rows, continued from the frame before | rows
//	row: u8 code, investor bytes, key bytes | i64 amount, sequence, at, extra | investor | key
const (
	segmentBytes = 64 << 20
	idBytes      = 8
	frameHead    = 8
	rowHead      = 3 + 4*8
	fillBytes    = 1 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is what the next sync covers.
type batch struct {
	bytes   []byte
	durable chan struct{}
}

type journal struct {
	id       string
	mu       sync.Mutex
	next     *batch
	spare    []byte
	sequence uint64
	wake     chan struct{}

	// Of the committer alone.
	dir    string
	file   *os.File
	index  int
	at     int64
	crc    uint32
	filled chan *os.File
}

func newBatch(bytes []byte) *batch {
	return &batch{bytes: append(bytes[:0], make([]byte, frameHead)...), durable: make(chan struct{})}
}

// append adds a row to the next batch; the answer may leave when the channel is closed.
func (j *journal) append(name []byte, v *verdict) (uint64, chan struct{}) {
	j.mu.Lock()
	j.sequence++
	sequence := j.sequence
	b := j.next
	isFirst := len(b.bytes) == frameHead
	b.bytes = append(b.bytes, byte(v.code), byte(len(name)), byte(len(v.key)))
	for _, word := range [4]int64{v.amount, int64(sequence), v.at, v.extra} {
		b.bytes = binary.LittleEndian.AppendUint64(b.bytes, uint64(word))
	}
	b.bytes = append(append(b.bytes, name...), v.key...)
	j.mu.Unlock()
	if isFirst {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
	return sequence, b.durable
}

// commit writes and syncs batch after batch. What arrives during a sync shares the next one.
func (j *journal) commit() {
	for range j.wake {
		for {
			j.mu.Lock()
			b := j.next
			if len(b.bytes) == frameHead {
				j.mu.Unlock()
				break
			}
			j.next = newBatch(j.spare)
			j.mu.Unlock()
			if err := j.write(b.bytes); err != nil {
				// After a failed sync nobody knows what is on disk: the next start tells.
				log.Print(err)
				os.Exit(70)
			}
			close(b.durable)
			j.spare = b.bytes
		}
	}
}

func (j *journal) write(frame []byte) error {
	if j.at+int64(len(frame)) > segmentBytes {
		if err := j.file.Close(); err != nil {
			return err
		}
		j.file = <-j.filled
		j.index++
		j.at = idBytes
		go j.fillNext()
	}
	rows := frame[frameHead:]
	j.crc = crc32.Update(j.crc, castagnoli, rows)
	binary.LittleEndian.PutUint32(frame, uint32(len(rows)))
	binary.LittleEndian.PutUint32(frame[4:], j.crc)
	if _, err := j.file.WriteAt(frame, j.at); err != nil {
		return err
	}
	j.at += int64(len(frame))
	return syscall.Fdatasync(int(j.file.Fd()))
}

func (j *journal) path(index int) string {
	return filepath.Join(j.dir, fmt.Sprintf("%06d.log", index))
}

// fillNext makes the segment after the current one; it gets its name when it is whole.
func (j *journal) fillNext() {
	file, err := fill(j.path(j.index+1), j.id)
	if err != nil {
		log.Print(err)
		os.Exit(70)
	}
	j.filled <- file
}

func fill(path, id string) (*os.File, error) {
	file, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, fillBytes)
	copy(zeros, id)
	for at := int64(0); at < segmentBytes; at += fillBytes {
		if _, err := file.WriteAt(zeros, at); err != nil {
			return nil, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return nil, err
		}
		clear(zeros[:idBytes])
	}
	if err := file.Sync(); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return file, dir.Sync()
}

// openLog reads what is there, row by row, and goes on behind it. A frame that is not whole was never answered for.
func openLog(dir string, take func(name []byte, v verdict)) (*journal, error) {
	j := &journal{dir: dir, wake: make(chan struct{}, 1), filled: make(chan *os.File, 1), index: -1}
	for {
		bytes, err := os.ReadFile(j.path(j.index + 1))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		isEmpty := j.index >= 0 && binary.LittleEndian.Uint32(bytes[idBytes:]) == 0
		if isEmpty {
			break // filled ahead, and never used
		}
		j.index++
		j.id = string(bytes[:idBytes])
		j.at = j.replay(bytes, take)
	}
	var err error
	if j.index < 0 {
		j.id = newID()
		j.index, j.at = 0, idBytes
		j.file, err = fill(j.path(0), j.id)
	} else {
		j.file, err = os.OpenFile(j.path(j.index), os.O_RDWR, 0)
	}
	if err != nil {
		return nil, err
	}
	j.next = newBatch(nil)
	go j.fillNext()
	go j.commit()
	return j, nil
}

func (j *journal) replay(bytes []byte, take func(name []byte, v verdict)) int64 {
	at := idBytes
	for at+frameHead <= len(bytes) {
		length := int(binary.LittleEndian.Uint32(bytes[at:]))
		end := at + frameHead + length
		if length == 0 || end > len(bytes) {
			break
		}
		rows := bytes[at+frameHead : end]
		crc := crc32.Update(j.crc, castagnoli, rows)
		if crc != binary.LittleEndian.Uint32(bytes[at+4:]) {
			break
		}
		for len(rows) > 0 {
			word := func(n int) int64 { return int64(binary.LittleEndian.Uint64(rows[3+8*n:])) }
			names, keys := int(rows[1]), int(rows[2])
			v := verdict{code: code(rows[0]), amount: word(0), sequence: uint64(word(1)), at: word(2), extra: word(3)}
			v.key = string(rows[rowHead+names : rowHead+names+keys])
			take(rows[rowHead:rowHead+names], v)
			j.sequence = v.sequence
			rows = rows[rowHead+names+keys:]
		}
		j.crc = crc
		at = end
	}
	return int64(at)
}

func newID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz012345"
	random := make([]byte, idBytes)
	if _, err := rand.Read(random); err != nil {
		log.Fatal(err)
	}
	for at, value := range random {
		random[at] = letters[int(value)%len(letters)]
	}
	return string(random)
}
