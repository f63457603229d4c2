package demo

import "context"

// Serve answers LDAP on a TCP address, "127.0.0.1:0" for a free port of loopback, until ctx is done or stop is called. The URI is
// what a client connects to. stop ends every connection and returns when the last one has ended; it may be called more than once.
//
// Who binds as BindDN with BindPassword may read everything; without a bind, only the root DSE.
func (d *Directory) Serve(ctx context.Context, addr string) (uri string, stop func(), err error) {
	return "", nil, nil
}
