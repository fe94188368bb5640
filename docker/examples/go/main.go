// A web server on the socket that stakeout keeps open, so that no restart refuses anybody.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	server := &http.Server{Handler: http.HandlerFunc(hello)}
	listener, err := listen()
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer cancel()
	<-stop.Done()
	// Answers what was asked, and goes.
	server.Shutdown(context.Background())
}

func hello(response http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(response, "hello from Go")
}

// The protocol of sd_listen_fds(3): descriptor 3 is the first socket.
func listen() (net.Listener, error) {
	if os.Getenv("LISTEN_FDS") == "" {
		return net.Listen("tcp", ":8000")
	}
	return net.FileListener(os.NewFile(3, "web"))
}
