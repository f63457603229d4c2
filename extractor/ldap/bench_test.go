package ldap_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"
)

// The directory of the benchmarks: pages of people.
const benchPages, benchSize = 20, 1000

// BenchmarkListing reads 20,000 people from a server that costs next to nothing, with ours and with go-ldap.
func BenchmarkListing(b *testing.B) {
	uri := benchServer(b)
	b.Run("ours", func(b *testing.B) {
		f := &fake{uri: uri}
		cfg := f.config()
		cfg.UserAttributes = []string{"uid", "givenName", "sn", "mail"}
		b.ReportAllocs()
		for b.Loop() {
			s := open(b, cfg)
			n := 0
			for records, err := range s.Users(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				n += len(records)
			}
			want(b, n)
			s.Close()
		}
		perEntry(b)
	})
	b.Run("go-ldap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			l, err := goldap.DialURL(uri)
			if err != nil {
				b.Fatal(err)
			}
			r, err := l.SearchWithPaging(goldap.NewSearchRequest("dc=example,dc=org", 2, 0, 0, 0, false, "(objectClass=person)", []string{"uid"}, nil), benchSize)
			if err != nil {
				b.Fatal(err)
			}
			want(b, len(r.Entries))
			l.Close()
		}
		perEntry(b)
	})
}

func want(b *testing.B, n int) {
	if n != benchPages*benchSize {
		b.Fatalf("%d entries", n)
	}
}

func perEntry(b *testing.B) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N)/(benchPages*benchSize), "µs/entry")
}

// benchServer sends pages that are encoded once. Their message ids are patched: all have four bytes.
func benchServer(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	page := benchPage()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serveBench(&fakeConn{c}, page)
		}
	}()
	return "ldap://" + l.Addr().String()
}

const benchID = 0x01020304

func benchPage() []byte {
	one := &recorder{}
	c := &fakeConn{one}
	for i := range benchSize {
		uid := fmt.Sprintf("u%07d", i)
		c.entry(request{id: benchID}, "uid="+uid+",ou=people,dc=example,dc=org", attributes{
			"uid": {uid}, "givenName": {"Zoë"}, "sn": {"Lindström"}, "mail": {uid + "@example.org"}, "entryUUID": {"0f0e1f2a-11aa-103b-8a8a-0d7c5f0a7b11"},
		})
	}
	return one.Bytes()
}

func serveBench(c *fakeConn, page []byte) {
	defer c.Close()
	root := map[string][]string{"objectClass": {"OpenLDAProotDSE"}, "supportedControl": {goldap.ControlTypePaging}}
	for {
		packet, err := ber.ReadPacket(c)
		if err != nil {
			return
		}
		r := parseRequest(packet)
		switch {
		case r.op == goldap.ApplicationBindRequest:
			c.result(r, goldap.ApplicationBindResponse, 0, "")
		case r.size == 0:
			c.entry(r, r.base, root)
			c.done(r, 0)
		default:
			var n int
			_, _ = fmt.Sscan(r.cookie, &n)
			id := []byte{2, 4, byte(r.id >> 24), byte(r.id >> 16), byte(r.id >> 8), byte(r.id)}
			_, _ = io.Copy(c.Conn, bytes.NewReader(bytes.ReplaceAll(page, []byte{2, 4, 1, 2, 3, 4}, id)))
			if n++; n == benchPages {
				c.page(r, "")
			} else {
				c.page(r, fmt.Sprint(n))
			}
		}
	}
}
