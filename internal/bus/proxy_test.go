package bus

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// proxy stands between a client and its server, and can lose what the server says.
type proxy struct {
	t        *testing.T
	server   string
	listener net.Listener

	mu    sync.Mutex
	deaf  bool // what the server says is lost
	conns []net.Conn
	lost  chan struct{} // closed once something was lost
	once  sync.Once
}

func newProxy(t *testing.T, port int) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, server: fmt.Sprintf("127.0.0.1:%d", port), listener: listener, lost: make(chan struct{})}
	t.Cleanup(func() { _ = listener.Close(); p.cut() })
	go p.serve()
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		go p.pipe(server, client, false)
		go p.pipe(client, server, true)
	}
}

func (p *proxy) pipe(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		lose := answers && p.deaf
		p.mu.Unlock()
		if lose {
			p.once.Do(func() { close(p.lost) })
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// silence loses everything that the server says, until the connection is cut.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

// cut closes all connections; new ones work.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns, p.deaf = nil, false
}
