package demo

import (
	"bufio"
	"context"
	"net"
	"sync"

	ber "github.com/go-asn1-ber/asn1-ber"

	"ldapsync/internal/fault"
)

// Serve answers LDAP on a TCP address, "127.0.0.1:0" for a free port of loopback, until ctx is done or stop is called. The URI is
// what a client connects to. stop ends every connection and returns when the last one has ended; it may be called more than once.
//
// Who binds as BindDN with BindPassword may read everything; without a bind, only the root DSE.
func (d *Directory) Serve(ctx context.Context, addr string) (uri string, stop func(), err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return "", nil, fault.New(fault.Directory, "choose a free port, or 0 for any", "demo directory: %w", err)
	}
	s := &server{directory: d, listener: listener, open: map[net.Conn]bool{}}
	s.running.Add(1)
	go s.accept()
	stopped := sync.OnceFunc(s.stop)
	forget := context.AfterFunc(ctx, stopped)
	return "ldap://" + listener.Addr().String(), func() { forget(); stopped() }, nil
}

// server is a directory being served: one goroutine that accepts, and one a connection.
type server struct {
	directory *Directory
	listener  net.Listener
	running   sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	open    map[net.Conn]bool
}

func (s *server) accept() {
	defer s.running.Done()
	for {
		socket, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		if s.stopped {
			s.mu.Unlock()
			socket.Close()
			return
		}
		s.open[socket] = true
		s.running.Add(1)
		s.mu.Unlock()
		go s.serve(socket)
	}
}

func (s *server) stop() {
	s.mu.Lock()
	s.stopped = true
	s.listener.Close()
	for socket := range s.open {
		socket.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// serve answers one client's requests, one after the other, until either side ends the connection.
func (s *server) serve(socket net.Conn) {
	defer s.running.Done()
	defer func() {
		s.mu.Lock()
		delete(s.open, socket)
		s.mu.Unlock()
		socket.Close()
	}()
	in := bufio.NewReader(socket)
	c := &conn{directory: s.directory, out: bufio.NewWriterSize(socket, 64<<10), pages: map[string]*listing{}}
	for {
		p, err := ber.ReadPacket(in)
		if err != nil {
			return
		}
		m, err := decodeMessage(p)
		if err != nil || !c.answer(m) || c.out.Flush() != nil {
			return
		}
	}
}
