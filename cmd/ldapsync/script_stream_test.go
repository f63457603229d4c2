package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

// cmdStream reads all that is kept on the NATS server, as any other program could.
func cmdStream(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "stream FILE")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), readStreams(ts), 0o600))
}

// cmdTold asks again and again: outcomes are published behind the commit, and who did it isn't asked.
func cmdTold(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "told REGEXP")
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		all := readStreams(ts)
		if pattern.Match(all) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("nothing on the server matches %s:\n%s", args[0], all)
		}
	}
}

func readStreams(ts *testscript.TestScript) []byte {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := nats.Connect(ts.Getenv("NATS_URL"))
	ts.Check(err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	ts.Check(err)
	var all bytes.Buffer
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		fmt.Fprintf(&all, "stream %s: %v\n", info.Config.Name, info.Config.Metadata)
		stream, err := js.Stream(ctx, info.Config.Name)
		ts.Check(err)
		for sequence := max(info.State.FirstSeq, 1); sequence <= info.State.LastSeq; sequence++ {
			m, err := stream.GetMsg(ctx, sequence)
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				continue // erased
			}
			ts.Check(err)
			fmt.Fprintf(&all, "%s %v %s\n", m.Subject, m.Header, m.Data)
		}
	}
	ts.Check(streams.Err())
	return all.Bytes()
}

// cmdDurable does what a program does that reads a stream by a durable consumer.
func cmdDurable(ts *testscript.TestScript, neg bool, args []string) {
	const usage = "durable make|read STREAM NAME"
	want(ts, neg, args, 3, usage)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := nats.Connect(ts.Getenv("NATS_URL"))
	ts.Check(err)
	defer conn.Close()
	js, err := jetstream.New(conn)
	ts.Check(err)
	switch args[0] {
	case "make":
		_, err := js.CreateConsumer(ctx, args[1], jetstream.ConsumerConfig{Durable: args[2], AckPolicy: jetstream.AckExplicitPolicy})
		ts.Check(err)
	case "read":
		consumer, err := js.Consumer(ctx, args[1], args[2])
		ts.Check(err)
		for left := consumer.CachedInfo().NumPending; left > 0; left-- {
			m, err := consumer.Next(jetstream.FetchContext(ctx))
			ts.Check(err)
			ts.Check(m.DoubleAck(ctx))
		}
	default:
		ts.Fatalf("usage: %s", usage)
	}
}
