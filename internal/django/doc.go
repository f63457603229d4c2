// Package django knows Django's tables of users and groups: which columns they have, what a value must become to be stored, and
// what a new row needs besides. It speaks to no database; internal/django/postgres and internal/django/sqlite do.
//
// A store describes what it found as a Catalog. Resolve compares that with the Settings and returns a Model, and beside it every
// Finding with its remedy: nothing is written before the list is empty of refusals. A Table then converts values (Convert) and fills
// the columns of new rows that no mapping fills (Fillers).
//
// Promised: Convert returns exactly what the stored row gives when it is read back, so that comparing the two tells whether a
// write is needed; a value that it accepts fits the column's type, length and range. Not promised: that the database accepts it
// (unique columns, checks, foreign keys are the database's to judge).
//
// The facts about Django are those of versions 3.2 to 6.1: django/contrib/auth/models.py, base_user.py, hashers.py.
package django
