package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"strconv"
	"strings"
)

type problemText struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
}

// settings are what a peer is told by whoever starts it. Amounts in minor units.
type settings struct {
	dataDir       string
	secret        string
	investorsFile string
	problems      map[string]problemText
	round         string
	currency      string
	capMinor      int64
	minimum       int64
	maximum       int64
}

func required(name string) string {
	value := os.Getenv(name)
	if value == "" {
		log.Fatalf("%s is not set", name)
	}
	return value
}

func amount(name string) int64 {
	value, err := strconv.ParseInt(required(name), 10, 64)
	if err != nil || value <= 0 {
		log.Fatalf("%s must be an amount of minor units", name)
	}
	return value
}

func readSettings() *settings {
	set := &settings{
		dataDir:       required("PEER_DATA_DIR"),
		secret:        required("PEER_JWT_SECRET"),
		investorsFile: required("PEER_INVESTORS"),
		round:         required("PEER_ROUND"),
		currency:      required("PEER_CURRENCY"),
		capMinor:      amount("PEER_CAP"),
		minimum:       amount("PEER_MINIMUM"),
		maximum:       amount("PEER_MAXIMUM"),
	}
	if err := json.Unmarshal([]byte(required("PEER_PROBLEMS")), &set.problems); err != nil {
		log.Fatal(err)
	}
	return set
}

// eachInvestor calls take for every `investor balance` line of the file.
func (set *settings) eachInvestor(take func(investor string, balance int64)) error {
	file, err := os.Open(set.investorsFile)
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		investor, text, _ := strings.Cut(lines.Text(), " ")
		balance, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		take(investor, balance)
	}
	return lines.Err()
}
