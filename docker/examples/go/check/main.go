package main

import (
	"io"
	"log"
	"net/http"
	"strings"
)

func main() {
	response, err := http.Get("http://127.0.0.1:8000")
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err != nil || !strings.Contains(string(text), "from Go") {
		log.Fatalf("not what was expected: %q, %v", text, err)
	}
}
