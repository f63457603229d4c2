package bus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"ldapsync/internal/fault"
	"ldapsync/proto"
)

// doubtFor is how long a doubtful error has to come back until it is permanent.
const doubtFor = time.Second

// requestTimeout is how long one request may go unanswered.
const requestTimeout = 5 * time.Second

// attempts is the pace and the end of trying again: cfg.RetryFor in all, counted from the first failure since the last success.
type attempts struct {
	bus    *Bus
	policy *backoff.ExponentialBackOff // nil: the last one succeeded
	doubt  time.Time                   // since when every one has met a doubtful error; zero: the last one didn't
}

func (b *Bus) attempts() *attempts { return &attempts{bus: b} }

// succeeded forgets the failures so far.
func (a *attempts) succeeded() { a.policy, a.doubt = nil, time.Time{} }

// failed waits before the next attempt, and returns nil. It returns the error to end with where there is none: ctx is done, the
// error is permanent, or the time is over. what names the thing that failed.
func (a *attempts) failed(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if permanent(err) && (!doubtful(err) || a.persists()) {
		return a.bus.fault(what, err)
	}
	if !doubtful(err) {
		a.doubt = time.Time{}
	}
	if a.policy == nil {
		a.policy = backoff.NewExponentialBackOff(
			backoff.WithInitialInterval(50*time.Millisecond),
			backoff.WithMaxInterval(15*time.Second),
			backoff.WithMaxElapsedTime(a.bus.cfg.RetryFor)) // 0: never over
	}
	wait := a.policy.NextBackOff()
	if wait == backoff.Stop {
		return a.bus.fault(what, err)
	}
	a.bus.logger.Debug("trying again", "what", what, "error", err, "in", wait)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

// persists tells whether a doubtful error has been coming back for long enough to be believed.
func (a *attempts) persists() bool {
	if a.doubt.IsZero() {
		a.doubt = time.Now()
	}
	return time.Since(a.doubt) > doubtFor
}

// retry runs op until it succeeds or there is no next attempt. Each attempt has requestTimeout.
func (b *Bus) retry(ctx context.Context, what string, op func(context.Context) error) error {
	try := b.attempts()
	for {
		err := b.once(ctx, op)
		if err == nil {
			return nil
		}
		if err := try.failed(ctx, what, err); err != nil {
			return err
		}
	}
}

// once runs op with requestTimeout. A denial ends it: the server doesn't answer what it doesn't allow.
func (b *Bus) once(ctx context.Context, op func(context.Context) error) error {
	ctx, end := b.unless(ctx, &b.denial)
	defer end()
	timed, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	err := op(timed)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// permanent tells whether trying again can't mend err.
func permanent(err error) bool {
	if fault.IsPermanent(err) {
		return true
	}
	for _, known := range []error{
		proto.ErrNotFound, proto.ErrRival, errCredentials, errClosed,
		nats.ErrAuthorization, nats.ErrAuthExpired, nats.ErrAuthRevoked, nats.ErrAccountAuthExpired, nats.ErrPermissionViolation,
		nats.ErrConnectionClosed, nats.ErrMaxPayload, nats.ErrSecureConnRequired, nats.ErrSecureConnWanted,
		nats.ErrBadSubject, jetstream.ErrInvalidStreamName, jetstream.ErrInvalidConsumerName, jetstream.ErrInvalidSubject,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	if untrusted(err) {
		return true
	}
	var refused jetstream.JetStreamError
	if errors.As(err, &refused) && refused.APIError() != nil {
		return refusedForGood(refused.APIError())
	}
	return false
}

// refusedForGood tells whether JetStream would refuse the same again.
func refusedForGood(api *jetstream.APIError) bool {
	switch api.ErrorCode {
	case jetstream.JSErrCodeJetStreamNotEnabledForAccount:
		return true
	case jetstream.JSErrCodeStreamWrongLastSequence, jetstream.JSErrCodeStreamWrongLastSequenceConstant, errCodeWrongLastMsgID:
		return false // the stream has to be asked what it holds
	case jetstream.JSErrCodeConsumerNotFound, jetstream.JSErrCodeConsumerDoesNotExist:
		return false // it is made anew
	}
	return api.Code >= 400 && api.Code < 500 && api.Code != 408 && api.Code != 409 && api.Code != 429
}

// doubtful tells whether err, though permanent by what it says, may mean something else: a server that is shutting down says that the
// stream isn't there, or JetStream not enabled, and a denial may have been meant for another request of the same time.
func doubtful(err error) bool {
	return errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) || errors.Is(err, nats.ErrPermissionViolation)
}

func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var hostname x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &hostname) || errors.As(err, &invalid)
}

// errCodeWrongLastMsgID is JSStreamWrongLastMsgIDErrF of the server; jetstream has no name for it.
const errCodeWrongLastMsgID jetstream.ErrorCode = 10070

// fault makes what people read of an error: what names the thing that failed.
func (b *Bus) fault(what string, err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, proto.ErrNotFound) {
		return err
	}
	kind, hint := fault.Passing, ""
	if permanent(err) {
		kind = fault.New
	}
	switch {
	case b.joined && !b.nc.IsConnected():
		hint = "the service that keeps the stream has ended: run the command again"
	case errors.Is(err, nats.ErrPermissionViolation):
		hint = "give this NATS user the rights on ldapsync.> and on the JetStream API"
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		hint = "check the user and password, or the credentials file, of the NATS server"
	case untrusted(err):
		hint = "check the CA file set for NATS, and the name in the server's certificate"
	case errors.Is(err, nats.ErrNoServers):
		hint = "is the NATS server running, and the URL right?"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		hint = "start nats-server with -js, and enable JetStream for the account"
	}
	return kind(fault.Stream, hint, "%s: %w", what, plain{err})
}

// plain shows an error of NATS without its prefixes and codes.
type plain struct{ error }

func (p plain) Unwrap() error { return p.error }

func (p plain) Error() string {
	var refused jetstream.JetStreamError
	if errors.As(p.error, &refused) && refused.APIError() != nil && refused.APIError().Description != "" {
		return refused.APIError().Description
	}
	if errors.Is(p.error, context.DeadlineExceeded) || errors.Is(p.error, nats.ErrTimeout) {
		return "no answer"
	}
	text := strings.TrimPrefix(p.error.Error(), "nats: ")
	return strings.ReplaceAll(text, "\n", " ")
}
