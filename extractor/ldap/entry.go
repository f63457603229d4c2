package ldap

import (
	"fmt"
	"strings"
)

// entry is a SearchResultEntry (RFC 4511, 4.5.2). All its strings are parts of the text that it was decoded from.
type entry struct {
	dn         string
	attributes []attribute
}

// attribute is one attribute of an entry, under the name that the server gives it.
type attribute struct {
	name   string
	values []string
}

// named returns the values of an attribute, whose name is compared without case.
func (e entry) named(name string) []string {
	for _, a := range e.attributes {
		if strings.EqualFold(a.name, name) {
			return a.values
		}
	}
	return nil
}

// decoder decodes entries, and makes room for the values of many of them at once.
type decoder struct {
	attributes []attribute // those of the last entry, overwritten by the next
	values     []string    // room that is left
}

// entry decodes what is within a SearchResultEntry. The attributes hold until the next call, all else for ever.
func (d *decoder) entry(in string) (entry, error) {
	dn, in, err := take(in, tagOctets, "entry's DN")
	if err != nil {
		return entry{}, err
	}
	list, rest, err := take(in, tagSequence, "attributes")
	if err == nil {
		err = ignore(rest, "entry")
	}
	d.attributes = d.attributes[:0]
	for err == nil && list != "" {
		list, err = d.attribute(list)
	}
	if err != nil {
		return entry{}, fmt.Errorf("entry %.200q: %w", dn, err)
	}
	return entry{dn, d.attributes}, nil
}

// attribute decodes the first of the attributes.
func (d *decoder) attribute(list string) (rest string, err error) {
	one, rest, err := take(list, tagSequence, "attribute")
	if err != nil {
		return rest, err
	}
	name, one, err := take(one, tagOctets, "attribute's name")
	if err != nil {
		return rest, err
	}
	set, one, err := take(one, tagSet, "values")
	if err != nil {
		return rest, err
	}
	if err := ignore(one, "attribute"); err != nil {
		return rest, err
	}
	values, err := d.set(set)
	d.attributes = append(d.attributes, attribute{name, values})
	return rest, err
}

// set decodes the values of an attribute. They are counted first: a group's 100,000 members need one piece of memory.
func (d *decoder) set(in string) ([]string, error) {
	n := 0
	for rest := in; rest != ""; n++ {
		var err error
		if _, rest, err = take(rest, tagOctets, "value"); err != nil {
			return nil, err
		}
	}
	values := d.room(n)
	for i := range values {
		values[i], in, _ = take(in, tagOctets, "value")
	}
	return values, nil
}

// valueBlock is how many values get room at once.
const valueBlock = 1024

// room returns n values to fill. n is the number of values that were received.
func (d *decoder) room(n int) []string {
	if n == 0 {
		return nil
	}
	if n > valueBlock/4 {
		return make([]string, n)
	}
	if n > len(d.values) {
		d.values = make([]string, valueBlock)
	}
	values := d.values[:n:n]
	d.values = d.values[n:]
	return values
}
