// Package memnet is an in-memory network for HTTP tests in a testing/synctest
// bubble. A real socket would stop the bubble's clock from advancing.
package memnet

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// Network is an HTTP server that only [Network.Dial] can connect to.
type Network struct {
	listener *listener
	server   *http.Server
	done     chan struct{}
}

// Serve starts a server for h. Call [Network.Close] to stop it.
func Serve(h http.Handler) *Network {
	return serve(&http.Server{Handler: h}, (*http.Server).Serve)
}

// ServeTLS starts a server for h that speaks TLS, and HTTP/2 if the client does.
func ServeTLS(h http.Handler, cert tls.Certificate) *Network {
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	server := &http.Server{Handler: h, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
	return serve(server, func(s *http.Server, l net.Listener) error { return s.ServeTLS(l, "", "") })
}

func serve(server *http.Server, run func(*http.Server, net.Listener) error) *Network {
	n := &Network{
		listener: &listener{conns: make(chan net.Conn), closed: make(chan struct{})},
		server:   server,
		done:     make(chan struct{}),
	}
	go func() {
		defer close(n.done)
		_ = run(n.server, n.listener)
	}()
	return n
}

// Dial connects to the server, regardless of network and address. It returns
// [net.ErrClosed] if the server is closed.
func (n *Network) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case n.listener.conns <- server:
		return client, nil
	case <-n.listener.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Close stops the server and closes every connection.
func (n *Network) Close() {
	_ = n.server.Close()
	<-n.done
}

type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }
