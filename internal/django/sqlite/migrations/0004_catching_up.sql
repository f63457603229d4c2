-- A target that catches up says to which snapshot.

-- SQLite can't change a CHECK: the table is made anew. mode is live, catching up N, replaying N or pinned N, where N is the snapshot's sequence for the
-- first, else its number; "catching up" alone is of an earlier version.
ALTER TABLE ldapsync_checkpoint RENAME TO ldapsync_checkpoint_3;
CREATE TABLE ldapsync_checkpoint (
  source    text    NOT NULL PRIMARY KEY,
  stream_id text    NOT NULL,
  seq       integer NOT NULL,
  mapping   text    NOT NULL,
  mode      text    NOT NULL DEFAULT 'live' CHECK (mode IN ('live', 'catching up') OR mode GLOB 'catching up [1-9]*' OR mode GLOB 'replaying [1-9]*'
    OR mode GLOB 'pinned [1-9]*'),
  complete  integer NOT NULL DEFAULT 0 -- a committed snapshot of this stream was applied as a whole
);
INSERT INTO ldapsync_checkpoint (source, stream_id, seq, mapping, mode, complete)
  SELECT source, stream_id, seq, mapping, mode, complete FROM ldapsync_checkpoint_3;
DROP TABLE ldapsync_checkpoint_3;
