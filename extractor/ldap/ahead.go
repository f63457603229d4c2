package ldap

import (
	"iter"

	"ldapsync/extractor"
)

// ahead reads a listing in a goroutine of its own, so that one batch is received and decoded while another is at work. It never has
// more than that one in hand. The goroutine has ended when the loop over the sequence has.
func ahead(listing iter.Seq2[[]extractor.Record, error]) iter.Seq2[[]extractor.Record, error] {
	type batch struct {
		records []extractor.Record
		err     error
	}
	return func(yield func([]extractor.Record, error) bool) {
		batches, stop := make(chan batch), make(chan struct{})
		go func() {
			defer close(batches)
			for records, err := range listing {
				select {
				case batches <- batch{records, err}:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range batches { // it may be receiving still
			}
		}()
		for b := range batches {
			if !yield(b.records, b.err) {
				return
			}
		}
	}
}
