-- ldapsync's own tables beside Django's. Nothing here refers to a table of Django's: its own deletes would fail.

-- How far the stream of each source is applied.
CREATE TABLE ldapsync_checkpoint (
  source    text    NOT NULL PRIMARY KEY,
  stream_id text    NOT NULL,
  seq       integer NOT NULL,
  mapping   text    NOT NULL,
  mode      text    NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'pinned'))
);

-- Which entry of which source is which row of Django's.
CREATE TABLE ldapsync_link (
  source         text    NOT NULL,
  kind           text    NOT NULL CHECK (kind IN ('user', 'group')),
  id             text    NOT NULL,
  pk             text    NOT NULL DEFAULT '',
  dn             text    NOT NULL,
  name           text    NOT NULL,
  state          text    NOT NULL CHECK (state IN ('present', 'gone', 'deleted')),
  gone_seq       integer NOT NULL DEFAULT 0,
  gone_reason    text    NOT NULL DEFAULT '',
  digest         blob    NOT NULL,
  mapping        text    NOT NULL,
  seq            integer NOT NULL,
  how            text    NOT NULL CHECK (how IN ('created', 'adopted', 'relinked')),
  active_written integer NULL,
  deactivated_by text    NOT NULL DEFAULT '' CHECK (deactivated_by IN ('', 'sync', 'other')),
  deactivated_at text    NULL,
  PRIMARY KEY (source, kind, id)
) WITHOUT ROWID;
CREATE INDEX ldapsync_link_pk ON ldapsync_link (kind, pk) WHERE pk <> '';
CREATE INDEX ldapsync_link_name ON ldapsync_link (kind, name);
CREATE INDEX ldapsync_link_gone ON ldapsync_link (source, id) WHERE kind = 'user' AND state = 'gone';

-- The memberships that sync made; all others are a person's.
CREATE TABLE ldapsync_membership (
  source   text NOT NULL,
  group_pk text NOT NULL,
  user_pk  text NOT NULL,
  PRIMARY KEY (group_pk, user_pk)
) WITHOUT ROWID;
CREATE INDEX ldapsync_membership_user ON ldapsync_membership (user_pk);

-- Memberships whose group has no row yet, by the ids of the entries.
CREATE TABLE ldapsync_pending_membership (
  source   text NOT NULL,
  user_id  text NOT NULL,
  group_id text NOT NULL,
  PRIMARY KEY (source, user_id, group_id)
) WITHOUT ROWID;
CREATE INDEX ldapsync_pending_membership_group ON ldapsync_pending_membership (source, group_id);

-- Dead letters and parked entries, one for each entry and stage: 'apply', or the name of a callback.
CREATE TABLE ldapsync_letter (
  source   text    NOT NULL,
  kind     text    NOT NULL CHECK (kind IN ('user', 'group')),
  id       text    NOT NULL,
  stage    text    NOT NULL,
  dn       text    NOT NULL,
  parked   integer NOT NULL CHECK (parked IN (0, 1)),
  name     text    NOT NULL,
  reason   text    NOT NULL,
  seq      integer NOT NULL,
  entry    blob    NULL,
  since    text    NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  next_at  text    NULL,
  PRIMARY KEY (source, kind, id, stage)
);
CREATE INDEX ldapsync_letter_name ON ldapsync_letter (source, kind, name);
CREATE INDEX ldapsync_letter_stage ON ldapsync_letter (stage, next_at);

-- What was done and isn't published yet.
CREATE TABLE ldapsync_outbox (
  seq     integer NOT NULL PRIMARY KEY,
  source  text    NOT NULL,
  body    blob    NOT NULL,
  made_at text    NOT NULL
);

CREATE TABLE ldapsync_migration (
  version    integer NOT NULL PRIMARY KEY,
  applied_at text    NOT NULL
);
