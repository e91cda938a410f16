// SPDX-License-Identifier: MIT
// echo_go.go - an echo server, a goroutine for each connection, on one processor.

package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
)

func serve(connection net.Conn) {
	defer connection.Close()
	data := make([]byte, 2048)
	for {
		size, err := connection.Read(data)
		if err != nil {
			return
		}
		if _, err := connection.Write(data[:size]); err != nil {
			return
		}
	}
}

func main() {
	runtime.GOMAXPROCS(1)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go serve(connection)
	}
}
