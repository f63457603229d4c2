// Package ldif is the directory in a file: what ldapsearch, slapcat and their like wrote (LDIF, RFC 2849), for those who only get a nightly
// dump, and for captured directories as test cases. Writer writes such files.
//
// A Directory answers as the server would that the dump is of: it applies the source's bases, scope and filters (internal/ldapmatch), gives
// ids, ties members to groups, and finds entries again, all from the bytes that the file had when Open opened it. Who dumps names the
// attributes: ldapsearch -x … -LLL '*' '+' takes the operational ones along, of which entryUUID gives the ids.
//
// Promised: a listing that ends without an error is that of a whole file. Open reads it once to its end, each listing once more, and all of
// them end with an error if a line isn't LDIF, if the last entry lacks the empty line behind it, if an entry stands there twice, if a range of Active
// Directory's (member;range=0-1499) stands for the whole, if size, time or bytes of the file change meanwhile, if nothing lies below a base, or
// if the file itself says that it isn't whole: ldapsearch's and ldbsearch's count of entries, a result that isn't success, a page with
// another to come. Records of changes and values behind URLs are refused; a file replaced by renaming is read to its end as it was. These
// errors pass: the next dump may be right.
//
// Not promised: that a dump without such a count wasn't cut exactly between two entries. Keep ldapsearch's comments (-L instead of
// -LLL), write the dump to another name, and rename it if the program that wrote it ended well; what a cut dump lacks is then held by the limits of removal
// safety alone. Nor that it has all attributes: what a filter asks about and no entry has is named in the log. Nor the server's schema: see internal/ldapmatch. Memberships through nested groups can't be asked for by a filter.
//
// Memory: 16 bytes an entry, 16 more for each that was listed (48 while the index grows), 16 for each membership once GroupsOf was asked; one
// entry at a time, of at most 256 MiB.
package ldif
