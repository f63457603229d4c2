package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress shows how far a run is: on a terminal one line that is rewritten, elsewhere a plain line now and then.
type progress struct {
	w     io.Writer
	width int // of the terminal; 0: it is none
	every time.Duration
	now   func() time.Time

	mu       sync.Mutex
	off      bool
	last     time.Time
	shown    bool // a line stands that is to be taken away
	sources  map[string][2]uint64
	appliers map[string]uint64
}

func newProgress(w io.Writer, off bool) *progress {
	p := &progress{w: w, off: off, every: 10 * time.Second, now: time.Now, sources: map[string][2]uint64{}, appliers: map[string]uint64{}}
	if width, ok := terminal(w); ok {
		p.width, p.every = width, 100*time.Millisecond
	}
	p.last = p.now()
	return p
}

// read notes how many entries of a source were read and published.
func (p *progress) read(source string, read, published uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sources[source] = [2]uint64{read, published}
	p.show()
}

// applied notes how many entries were applied to a target.
func (p *progress) applied(target string, n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.appliers[target] = n
	p.show()
}

func (p *progress) show() {
	now := p.now()
	if p.off || now.Sub(p.last) < p.every {
		return
	}
	p.last = now
	var read, published, applied uint64
	for _, s := range p.sources {
		read, published = read+s[0], published+s[1]
	}
	for _, n := range p.appliers {
		applied += n
	}
	line := fmt.Sprintf("%d entries read, %d published, %d applied", read, published, applied)
	if p.width == 0 {
		fmt.Fprintln(p.w, line)
		return
	}
	if len(line) >= p.width {
		line = line[:p.width-1]
	}
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", p.width-1-len(line)))
	p.shown = true
}

// end takes the line away. Nothing is shown afterwards.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.off = true; p.shown {
		fmt.Fprintf(p.w, "\r%s\r", strings.Repeat(" ", p.width-1))
		p.shown = false
	}
}
