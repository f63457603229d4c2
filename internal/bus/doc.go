// Package bus is the only package that knows NATS JetStream: it opens the server, outside or embedded, keeps the streams as they
// should be, and gives the stages what they need of them.
//
// A Log is the stream of one source: the extractor writes it, everybody may read it. Requests and Trigger carry what is asked of an
// extractor, Announce and Active say which service is running, Wake wakes a callback.
//
// Promised: one writer per stream, by the expected last sequence and the predecessor's message id on every publish (the sequence
// alone lets the second message of a pipeline in behind a rival's one); a retried publish is stored once; an event that
// Flush has confirmed is on disk (embedded: fsync on every write). Read and Follow hand out every event once, in order, across lost
// connections and restarts of the server, and replacements in the place of what people were erased from. A stream is never deleted or emptied
// here, nothing is taken from it but by Cut and Erase, and it is never changed but where a setting differs. Two processes never open one embedded store: a lock on the state directory keeps them apart. A service
// lets the others in through its server (Config.Share): on loopback, with a token and a certificate that only a file in the state directory tells,
// which the owner of that alone may read. The lock decides whether the file counts, and the certificate's key, which dies with its process.
//
// Not promised: that Requests and Wake hand out a message only once (they repeat it until it is acknowledged), or that an external
// server keeps what it acknowledged: its own sync_interval and replicas decide that.
package bus
