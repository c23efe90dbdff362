// Peer: fasthttp, the cap as an atomic counter, investors in memory, and a log that many requests share a sync of.
package main

import (
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/valyala/fasthttp"
)

// Everything that lives long is allocated once and kept: a larger heap before a collection costs memory only.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	set := readSettings()
	answers := newAnswers(set)
	admission := newAdmission(set)
	wal, err := openLog(set.dataDir, admission.recover)
	if err != nil {
		log.Fatal(err)
	}
	admission.wal = wal

	handler := newHandler(set, answers, admission)
	server := &fasthttp.Server{
		Handler:                      handler.serve,
		ErrorHandler:                 handler.refuse,
		MaxRequestBodySize:           bodyBytesMax,
		ReadBufferSize:               8192,
		NoDefaultServerHeader:        true,
		NoDefaultDate:                true,
		NoDefaultContentType:         true,
		DisablePreParseMultipartForm: true,
		CloseOnShutdown:              true,
	}
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Printf("{\"port\":%d}\n", listener.Addr().(*net.TCPAddr).Port)
	select {
	case err = <-ended:
	case <-stopped:
		err = server.Shutdown()
	}
	if err != nil {
		log.Fatal(err)
	}
}
