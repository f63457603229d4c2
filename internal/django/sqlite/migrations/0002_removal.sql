-- Removal safety: who is missing, what people took back, and what waits for a person.

-- A committed snapshot of this stream was applied as a whole.
ALTER TABLE ldapsync_checkpoint ADD COLUMN complete integer NOT NULL DEFAULT 0;

-- SQLite can't change a CHECK: the table is made anew. state may be missing (the source's grace isn't over), deactivated_by restored (a person took
-- back what sync did), and how orphan (no entry ever stood behind the row).
ALTER TABLE ldapsync_link RENAME TO ldapsync_link_1;
DROP INDEX ldapsync_link_pk;
DROP INDEX ldapsync_link_name;
DROP INDEX ldapsync_link_gone;
CREATE TABLE ldapsync_link (
  source         text    NOT NULL,
  kind           text    NOT NULL CHECK (kind IN ('user', 'group')),
  id             text    NOT NULL,
  pk             text    NOT NULL DEFAULT '',
  dn             text    NOT NULL,
  name           text    NOT NULL,
  state          text    NOT NULL CHECK (state IN ('present', 'missing', 'gone', 'deleted')),
  gone_seq       integer NOT NULL DEFAULT 0,
  gone_reason    text    NOT NULL DEFAULT '',
  digest         blob    NOT NULL,
  mapping        text    NOT NULL,
  seq            integer NOT NULL,
  how            text    NOT NULL CHECK (how IN ('created', 'adopted', 'relinked', 'orphan')),
  active_written integer NULL,
  deactivated_by text    NOT NULL DEFAULT '' CHECK (deactivated_by IN ('', 'sync', 'other', 'restored')),
  deactivated_at text    NULL,
  gone_at        text    NULL,               -- when it became missing or gone
  restored_seq   integer NOT NULL DEFAULT 0, -- the gone_seq of the absence in which it was last restored
  restored_by    text    NOT NULL DEFAULT '',
  restored_at    text    NULL,
  PRIMARY KEY (source, kind, id)
) WITHOUT ROWID;
INSERT INTO ldapsync_link (source, kind, id, pk, dn, name, state, gone_seq, gone_reason, digest, mapping, seq, how, active_written,
    deactivated_by, deactivated_at)
  SELECT source, kind, id, pk, dn, name, state, gone_seq, gone_reason, digest, mapping, seq, how, active_written,
    deactivated_by, deactivated_at FROM ldapsync_link_1;
DROP TABLE ldapsync_link_1;
CREATE INDEX ldapsync_link_pk ON ldapsync_link (kind, pk) WHERE pk <> '';
CREATE INDEX ldapsync_link_name ON ldapsync_link (kind, name);
CREATE INDEX ldapsync_link_gone ON ldapsync_link (source, id) WHERE kind = 'user' AND state IN ('missing', 'gone');

-- Accounts that would become gone, too many at once: they wait for a person, or a person said that they stay.
CREATE TABLE ldapsync_held (
  source      text    NOT NULL, -- whose applier judged
  change      text    NOT NULL, -- orphans
  hash        text    NOT NULL, -- stands for exactly these accounts
  accounts    integer NOT NULL, -- how many
  total       integer NOT NULL, -- of how many
  reason      text    NOT NULL, -- which limit was met
  since       text    NOT NULL,
  entries     blob    NOT NULL, -- for each account 16 bytes of the SHA-256 of its primary key
  decision    text    NOT NULL CHECK (decision IN ('', 'approved', 'rejected')),
  decided_by  text    NOT NULL,
  decided_at  text    NULL,
  decided_why text    NOT NULL,
  PRIMARY KEY (source, change, hash)
) WITHOUT ROWID;
